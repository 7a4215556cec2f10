/** The web search: each engine's protocol, and pages that may and may not be read. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { AppError } from "../../src/base/errors.ts";
import { systemClock } from "../../src/base/clock.ts";
import { PageReader } from "../../src/grounding/web/page-reader.ts";
import { isPublicAddress } from "../../src/grounding/web/public-connector.ts";
import { askEngine, type SearchResult } from "../../src/grounding/web/search-engine.ts";
import type { SearchEngineName } from "../../src/grounding/web/settings.ts";
import { useWeb } from "../support/web/scripted-web.ts";

const { signal } = new AbortController();

describe("a search engine", () => {
  const web = useWeb();

  async function ask(engine: SearchEngineName, path = "", user = ""): Promise<readonly SearchResult[]> {
    const baseUrl = new URL(path, web.url.replace("://", `://${user}`));
    return await askEngine("high tide", { engine, baseUrl, apiKey: "key-1", allowedHosts: [] }, signal);
  }

  async function fails(engine: SearchEngineName, reason: RegExp): Promise<void> {
    await assert.rejects(ask(engine), (error) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.code, "search_unavailable");
      assert.match(error.message, reason);
      return true;
    });
  }

  test("SearXNG is asked for JSON, also below a path", async () => {
    web.find({
      title: "One &lt;1&gt;",
      url: "https://example.com/a#part",
      content: "A <b>bold</b>\n snippet",
    });
    assert.deepEqual(await ask("searxng", "/searx/"), [
      { title: "One <1>", url: "https://example.com/a", snippet: "A bold snippet", text: undefined },
    ]);
    const [search] = web.searches;
    assert.equal(
      `${search?.method} ${search?.url.pathname}${search?.url.search}`,
      "GET /searx/search?q=high+tide&format=json",
    );
  });

  test("is asked with the user and password in its address, unless it has a key for that header", async () => {
    web.find();
    await ask("searxng", "", "user:p%40ss@");
    await ask("tavily", "", "user:p%40ss@");
    assert.deepEqual(
      web.searches.map(({ headers }) => headers.authorization),
      [`Basic ${btoa("user:p@ss")}`, "Bearer key-1"],
    );
    web.engine = () => [401, {}];
    await fails("searxng", /status 401: .*SEARCH_BASE_URL/);
  });

  test("Brave is asked with its token, and its extra snippets count", async () => {
    web.engine = () => [
      200,
      {
        web: {
          results: [{ title: "A", url: "https://example.com/", description: "One", extra_snippets: ["Two"] }],
        },
      },
    ];
    assert.deepEqual(
      (await ask("brave")).map(({ snippet }) => snippet),
      ["One\nTwo"],
    );
    const [search] = web.searches;
    assert.equal(search?.headers["x-subscription-token"], "key-1");
    assert.equal(search?.url.pathname, "/res/v1/web/search");
  });

  test("Brave without a result for the web finds nothing", async () => {
    web.engine = () => [200, { type: "search" }];
    assert.deepEqual(await ask("brave"), []);
  });

  test("Tavily is asked for the text of pages", async () => {
    web.engine = () => [
      200,
      {
        results: [
          { title: "A", url: "https://example.com/", content: "Short", raw_content: "The whole page" },
        ],
      },
    ];
    assert.deepEqual(
      (await ask("tavily")).map(({ text }) => text),
      ["The whole page"],
    );
    const [search] = web.searches;
    assert.equal(search?.headers.authorization, "Bearer key-1");
    assert.deepEqual(JSON.parse(search?.body ?? ""), {
      query: "high tide",
      max_results: 10,
      include_raw_content: true,
    });
  });

  test("that returns an address twice, or none that can be read, has it once, or not at all", async () => {
    const urls = [
      "https://example.com/a#1",
      "https://example.com/a#2",
      "ftp://example.com/",
      "x",
      "https://a:b@example.com/",
      `https://example.com/${"a".repeat(2_048)}`,
    ];
    web.find(...urls.map((url) => ({ title: "A", url, content: "" })));
    assert.deepEqual(
      (await ask("searxng")).map(({ url }) => url),
      ["https://example.com/a"],
    );
  });

  test("whose results are of another form leaves these out", async () => {
    web.engine = () => [
      200,
      { results: [null, 7, { title: 1, url: "https://example.com/", content: null }, { url: 2 }] },
    ];
    assert.deepEqual(await ask("searxng"), [
      { title: "", url: "https://example.com/", snippet: "", text: undefined },
    ]);
  });

  test("that fails tells why, and what to do about it", async () => {
    web.engine = () => [403, "<html>Forbidden</html>"];
    await fails("searxng", /status 403: allow JSON in its settings\.yml/);
    await fails("brave", /status 403: check SEARCH_API_KEY/);
    web.engine = () => [429, {}];
    await fails("tavily", /^tavily: status 429: the searches of the account's plan are used up/);
    web.engine = () => [200, "no JSON"];
    await fails("searxng", /^searxng: /);
    web.engine = () => [200, { results: [], unresponsive_engines: [["google", "CAPTCHA"]] }];
    await fails("searxng", /unresponsive_engines/);
    await web.close();
    await fails("searxng", /^searxng: /);
    await web.start();
  });
});

describe("a page on the web", () => {
  const web = useWeb();

  async function read(name: string, allowedHosts = [web.host]): Promise<string> {
    return await readUrl(web.toPageUrl(name), allowedHosts);
  }

  async function readUrl(url: string, allowedHosts: readonly string[]): Promise<string> {
    const reader = new PageReader(allowedHosts, systemClock);
    try {
      return (await reader.read(url, signal)).text;
    } finally {
      await reader.close();
    }
  }

  test("is read through its redirects, and as its server says that it is encoded", async () => {
    web.pages.set("old", (response) => response.writeHead(302, { location: "new" }).end());
    web.pages.set("new", (response) =>
      response
        .setHeader("content-type", "text/html; charset=shift_jis")
        .end(Buffer.concat([Buffer.from("<p>"), Buffer.from("93fa967b8cea", "hex")])),
    );
    assert.equal(await read("old"), "日本語");
  });

  test("is read as far as a mebibyte goes, counted after its decompression", async () => {
    const html = `<p>start</p>${"<p>word</p>".repeat(300_000)}`;
    web.pages.set("large", (response) =>
      response
        .writeHead(200, { "content-type": "text/html", "content-encoding": "gzip" })
        .end(gzipSync(html)),
    );
    const text = await read("large");
    assert.match(text, /^start\n\nword/);
    assert.ok(text.length <= 100_000);
  });

  test("is read once within minutes by one reader", async () => {
    web.addHtml("page", "<p>text</p>");
    const reader = new PageReader([web.host], systemClock);
    await reader.read(web.toPageUrl("page"), signal);
    await reader.read(web.toPageUrl("page"), signal);
    await reader.close();
    assert.deepEqual(web.pageRequests, ["page"]);
  });

  test("is not read if it is no page, or redirects for ever, or to no page", async () => {
    web.pages.set("image", (response) => response.setHeader("content-type", "image/png").end("x"));
    web.pages.set("loop", (response) => response.writeHead(302, { location: "loop" }).end());
    web.pages.set("file", (response) => response.writeHead(302, { location: "file:///etc/hostname" }).end());
    web.pages.set("none", (response) => response.writeHead(302, { location: "http://" }).end());
    for (const [name, reason] of [
      ["image", /is image\/png/],
      ["loop", /redirects more than 5 times/],
      ["file", /is not http/],
      ["none", /redirects to no address/],
      ["missing", /status 404/],
    ] as const)
      await assert.rejects(read(name), reason, name);
  });

  test("is not read from an address of this machine, or of a private network, in whatever notation", async () => {
    web.addHtml("page", "<p>text</p>");
    const port = Number(new URL(web.url).port);
    const hosts = [
      "127.0.0.1",
      "localhost",
      "2130706433",
      "0x7f.1",
      "0177.0.0.1",
      "127.1",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "0.0.0.0",
    ];
    for (const host of hosts) {
      const address = `http://${host}/`;
      await assert.rejects(readUrl(address, []), address);
      // With its port allowed for another host only.
      await assert.rejects(readUrl(`http://${host}:${port}/pages/page`, ["example.com"]), host);
    }
    assert.deepEqual(web.pageRequests, []);
    assert.equal(await read("page"), "text");
  });

  test("is not read through a redirect to such an address", async () => {
    web.pages.set("in", (response) => response.writeHead(302, { location: "http://localhost/" }).end());
    await assert.rejects(read("in"));
  });
});

describe("a public address", () => {
  test("is none of the special ranges", () => {
    const special = [
      "10.0.0.1",
      "172.16.0.1",
      "192.168.1.1",
      "169.254.169.254",
      "100.64.0.1",
      "198.18.0.1",
      "224.0.0.1",
      "255.255.255.255",
      "0.0.0.0",
      "::1",
      "::",
      "fe80::1",
      "fc00::1",
      "ff02::1",
      "::ffff:10.0.0.1",
      "64:ff9b::a00:1",
      "2002:a00:1::",
      "2001::1",
      "2001:db8::1",
    ];
    for (const address of special) assert.equal(isPublicAddress(address), false, address);
    for (const address of ["1.1.1.1", "93.184.216.34", "2606:4700::1111"])
      assert.equal(isPublicAddress(address), true, address);
  });
});
