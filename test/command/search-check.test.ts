/** What `foreword doctor` says of search engines, from real HTTP servers. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkSearch } from "../../src/command/checks/search-check.ts";
import { searchEngines, type SearchEngineName } from "../../src/grounding/web/settings.ts";
import { findFreePort } from "../support/network/local-port.ts";
import { useWeb } from "../support/web/scripted-web.ts";
import { useCommands, useSuiteFolder } from "./run-command.ts";

describe("the check of the web search", () => {
  const web = useWeb();
  const folder = useSuiteFolder();
  const startCommand = useCommands();

  /** Returns the sign, the text after the engine's place, and the advice. */
  async function check(
    engine: SearchEngineName,
    url = web.url,
  ): Promise<readonly [string, string, string | undefined]> {
    const settings = { engine, baseUrl: new URL(url), apiKey: "key", allowedHosts: [] };
    const [finding, ...more] = await checkSearch(settings);
    assert.ok(finding !== undefined && more.length === 0);
    const { isWell, isWarning, text, fix } = finding;
    const place = `${engine} at ${url}/: `;
    assert.ok(text.startsWith(place), text);
    return [isWarning === true ? "WARN" : isWell ? "ok" : "WRONG", text.slice(place.length), fix];
  }

  test("finds each engine well that answers one search, and says which searches are counted", async () => {
    const result = { title: "A", url: "https://example.com/", content: "", description: "" };
    web.engine = () => [200, { results: [result], web: { results: [result] } }];
    for (const engine of searchEngines) {
      const counted = engine === "searxng" ? "" : "; the check was one search of the account";
      assert.deepEqual(await check(engine), ["ok", `1 pages found${counted}`, undefined]);
    }
    assert.equal(web.searches.length, searchEngines.length);
  });

  test("says how to fix each refusal", async () => {
    for (const [engine, status, advice] of [
      ["searxng", 403, /^allow JSON in its settings\.yml \(search: formats: \[html, json\]\)/],
      ["searxng", 429, /^turn off its limiter/],
      ["searxng", 404, /^check SEARCH_BASE_URL: .* without \/search$/],
      ["brave", 422, /^check SEARCH_API_KEY$/],
      ["brave", 429, /plan are used up/],
      ["tavily", 401, /^check SEARCH_API_KEY$/],
      ["tavily", 432, /plan are used up/],
      ["brave", 500, /^check the network, and SEARCH_BASE_URL/],
    ] as const) {
      web.engine = () => [status, "<html>"];
      const [sign, text, fix = ""] = await check(engine);
      assert.deepEqual([sign, text], ["WRONG", `${engine}: status ${status}`]);
      assert.match(fix, advice);
    }
  });

  test("knows a page that is no engine, an engine that finds nothing, and none at all", async () => {
    web.engine = () => [200, "<html>Welcome</html>"];
    assert.match((await check("searxng"))[2] ?? "", /^check SEARCH_BASE_URL/);
    web.engine = () => [200, { results: [], unresponsive_engines: [["google", "CAPTCHA"]] }];
    assert.match((await check("searxng"))[2] ?? "", /^try a search at SearXNG itself/);
    web.engine = () => [200, { results: [] }];
    assert.equal((await check("searxng"))[0], "WARN");
    const [sign, text, fix] = await check("searxng", `http://127.0.0.1:${await findFreePort()}`);
    assert.match(`${sign} ${text}`, /^WRONG searxng: .*ECONNREFUSED/);
    assert.match(fix ?? "", /^check SEARCH_BASE_URL: start the engine/);
    assert.deepEqual(await checkSearch(undefined), []);
  });

  test("is part of doctor, which fails with it", async () => {
    web.engine = () => [403, "Forbidden"];
    const command = startCommand(["doctor"], { CHAT_STORE_ENABLED: "false", ...web.variables }, folder.path);
    assert.equal(await command.exit(), 1);
    assert.match(command.stdout, /^WRONG web search +searxng at .*status 403\n +→ allow JSON in its set/m);
  });
});
