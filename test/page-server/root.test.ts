/** `GET /`: the page for browsers, with its configuration and a strict policy; links for other clients. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { parsePageConfig } from "../../web/src/base/config.ts";
import { IdentityProvider } from "../support/apps/identity-provider.ts";
import { listRoutes } from "../support/apps/list-routes.ts";
import { useApp, useModel, useStartApp } from "../support/apps/use-app.ts";

const Service = z.object({ auth: z.string(), links: z.record(z.string(), z.string()) });

/** The `Accept` headers of navigations in Chrome, Firefox and Safari. */
const navigations = [
  "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
  "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "text/html",
];
const browser = { accept: navigations[1] ?? "" };

/** Returns the configuration in a document, as the page reads it. */
function readConfig(document: string) {
  const [, content = ""] = /<meta name="foreword" content="([^"]*)">/.exec(document) ?? [];
  return parsePageConfig(
    content.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code))),
  );
}

describe("GET /", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model);
  const startApp = useStartApp(model);

  test("returns the page to browsers", async () => {
    for (const accept of navigations) {
      const { status, headers, body } = await app.get("/", { accept });
      assert.deepEqual([status, headers["content-type"]], [200, "text/html; charset=utf-8"]);
      assert.match(body, /<script type="module"/, "it is built: npm run build:page");
      assert.match(String(headers.vary), /\bAccept\b/);
    }
  });

  test("returns a description to every other client, whose links lead to routes", async () => {
    const routes = listRoutes(app.app).map((route) => route.split(" ")[1] ?? "");
    for (const headers of [{}, { accept: "*/*" }, { accept: "application/json, text/html;q=0.5" }]) {
      const response = await app.get("/", headers);
      assert.equal(response.headers["content-type"], "application/json; charset=utf-8");
      const { auth, links } = Service.parse(JSON.parse(response.body));
      assert.equal(auth, "none");
      for (const link of Object.values(links))
        assert.ok(
          routes.some((route) => route === link || route.startsWith(`${link}/`)),
          link,
        );
    }
    assert.equal((await app.get("/", { accept: "image/png" })).status, 406);
  });

  test("lets the page run its own files alone, and connect to this server alone", async () => {
    const { headers } = await app.get("/", browser);
    assert.equal(
      headers["content-security-policy"],
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    );
    const others = [
      "x-content-type-options",
      "x-frame-options",
      "referrer-policy",
      "cross-origin-opener-policy",
    ];
    assert.deepEqual(
      others.map((name) => headers[name]),
      ["nosniff", "DENY", "no-referrer", "same-origin"],
    );
    assert.match(String(headers["permissions-policy"]), /camera=\(\), microphone=\(\)/);
  });

  for (const [name, headers] of [
    ["page", browser],
    ["description", {}],
  ] as const)
    test(`sends the ${name} again only when it has changed`, async () => {
      const first = await app.get("/", headers);
      const etag = String(first.headers.etag);
      const again = await app.get("/", { ...headers, "if-none-match": etag });
      assert.deepEqual([again.status, again.body, again.headers.etag], [304, "", etag]);
      for (const header of ["content-security-policy", "cache-control", "vary"])
        assert.equal(again.headers[header], first.headers[header], header);
      const other = headers === browser ? {} : browser;
      assert.equal((await app.get("/", { ...other, "if-none-match": etag })).status, 200);
      const head = await app.get("/", headers, "HEAD");
      assert.deepEqual([head.status, head.body, head.headers.etag], [200, "", etag]);
      assert.equal(head.headers["content-length"], first.headers["content-length"]);
    });

  test("refuses other methods", async () => {
    const { status, headers } = await app.post("/", {});
    assert.deepEqual([status, headers.allow], [405, "GET, HEAD"]);
  });

  test("has neither page nor assets with PAGE=off, and the API docs do not link to it", async () => {
    const off = await startApp({ PAGE: "off" });
    const { headers } = await off.get("/", browser);
    assert.equal(headers["content-type"], "application/json; charset=utf-8");
    assert.equal((await off.get("/", { accept: "text/html" })).status, 406);
    const [, asset = ""] = /"\.(\/assets\/[^"]+)"/.exec((await app.get("/", browser)).body) ?? [];
    assert.deepEqual([(await app.get(asset)).status, (await off.get(asset)).status], [200, 404]);
    assert.ok((await app.get("/docs")).body.includes('href="./"'));
    assert.ok(!(await off.get("/docs")).body.includes('href="./"'));
  });

  test("tells the page its name, as text", async () => {
    const title = `'"><script src=x></script>$& & <!--`;
    const named = await startApp({ PAGE_TITLE: title });
    const { body } = await named.get("/", browser);
    assert.deepEqual(readConfig(body), { auth: "none", title });
    assert.ok(!body.includes("<script src=x"));
    assert.match(body, /<title>&#39;&#34;&#62;&#60;script src=x&#62;/);
  });

  test("tells the page what the server has: web search and knowledge bases", async () => {
    const engine = { SEARCH_ENGINE: "searxng", SEARCH_BASE_URL: "https://search.example.test" };
    const rich = await startApp({ CHAT_STORE_ENABLED: "true", ...engine });
    const { body } = await rich.get("/", browser);
    assert.deepEqual(readConfig(body), { auth: "none", title: "Foreword", webSearch: true, knowledge: true });
  });

  test("with AUTH=keys is open, and tells the page that it is for servers", async () => {
    const keyed = await startApp({ AUTH: "keys", API_KEYS: randomUUID() });
    assert.deepEqual(readConfig((await keyed.get("/", browser)).body), { auth: "keys", title: "Foreword" });
    assert.equal(Service.parse(JSON.parse((await keyed.get("/")).body)).auth, "keys");
  });

  test("with AUTH=supabase tells the page the project and its public key, and lets it connect there alone", async (context) => {
    const provider = await IdentityProvider.start();
    context.after(() => provider.close());
    const variables = { AUTH: "supabase", SUPABASE_URL: `${provider.url}/` };
    const without = await startApp(variables);
    const bare = await without.get("/", browser);
    assert.deepEqual(readConfig(bare.body), { auth: "supabase", title: "Foreword" });
    assert.match(String(bare.headers["content-security-policy"]), /; connect-src 'self';/);
    for (const name of ["PAGE_SUPABASE_KEY", "SUPABASE_ANON_KEY"]) {
      const complete = await startApp({ ...variables, [name]: "sb_publishable_x" });
      const { headers, body } = await complete.get("/", browser);
      const { auth, supabase } = readConfig(body);
      assert.deepEqual([auth, supabase?.key], ["supabase", "sb_publishable_x"]);
      assert.equal(new URL(supabase?.url ?? "").origin, new URL(provider.url).origin);
      const connect = /connect-src ([^;]*)/.exec(String(headers["content-security-policy"]))?.[1];
      assert.equal(connect, `'self' ${new URL(provider.url).origin}`);
    }
  });
});
