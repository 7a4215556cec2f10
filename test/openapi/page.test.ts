/** The API docs: open to everyone; the page has no scripts, loads nothing, and escapes its text. */
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { toPage } from "../../src/openapi/page.ts";
import { IdentityProvider } from "../support/apps/identity-provider.ts";
import { makeDocument } from "../support/apps/response-check.ts";
import { startApp } from "../support/apps/start-app.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";

const document = await makeDocument("none", "demo");

describe("GET /docs", { timeout: 60_000 }, () => {
  const app = useApp(useModel());

  test("shows every operation and every schema", async () => {
    const { status, headers, body } = await app.get("/docs");
    assert.equal(status, 200);
    assert.equal(headers["content-type"], "text/html; charset=utf-8");
    for (const operations of Object.values(document.paths))
      for (const { operationId } of Object.values(operations))
        assert.ok(body.includes(`id="${operationId}"`));
    for (const name of Object.keys(document.components.schemas))
      assert.ok(body.includes(`id="schema-${name}"`));
  });

  test("has no script, and loads nothing: each of its URLs is relative", async () => {
    const { body } = await app.get("/docs");
    assert.doesNotMatch(
      body,
      /<script|<img|<link|<iframe|<form|\son\w+=|\sstyle=|javascript:|url\(|@import/i,
    );
    const addresses = Array.from(body.matchAll(/\s(?:href|src)="([^"]*)"/g), ([, address = ""]) => address);
    assert.ok(addresses.length > 50);
    // They also work below the path prefix of a proxy.
    assert.deepEqual(Array.from(new Set(addresses.filter((address) => !address.startsWith("#")))), [
      "./",
      "openapi.json",
    ]);
    for (const address of addresses.filter((name) => name.startsWith("#")))
      assert.ok(body.includes(`id="${address.slice(1)}"`), address);
  });

  test("lets a browser use its own style and nothing else", async () => {
    const { headers, body } = await app.get("/docs");
    const style = /<style>([^]*?)<\/style>/.exec(body)?.[1] ?? "";
    const digest = createHash("sha256").update(style).digest("base64");
    assert.equal(
      headers["content-security-policy"],
      `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'`,
    );
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["x-frame-options"], "DENY");
    assert.equal(headers["referrer-policy"], "no-referrer");
    assert.equal(headers["cross-origin-opener-policy"], "same-origin");
    assert.equal(headers["cross-origin-resource-policy"], "same-origin");
    assert.match(String(headers["permissions-policy"]), /camera=\(\)/);
  });

  test("has the colours and fonts of the chat page", async () => {
    const theme = readFileSync(new URL("../../web/src/styles/theme.css", import.meta.url), "utf8");
    const read = (style: string): ReadonlyMap<string, string> =>
      new Map(
        Array.from(style.matchAll(/^ *(--[\w-]+): (.*);$/gm), ([, name = "", value = ""]) => [name, value]),
      );
    const shared = read(theme);
    const own = Array.from(read((await app.get("/docs")).body)).filter(([name]) => shared.has(name));
    assert.ok(own.length >= 10);
    for (const [name, value] of own) assert.equal(value, shared.get(name), name);
  });

  test("escapes all text of the document", async () => {
    const evil = `<img src=x onerror="alert('x')">&`;
    const page = toPage(await makeDocument("none", `'${evil}`, evil));
    assert.ok(!page.includes("<img"));
    assert.ok(page.includes("&#60;img src=x onerror=&#34;alert(&#39;x&#39;)&#34;&#62;&#38;"));
  });

  for (const path of ["/docs", "/openapi.json"])
    test(`${path} is sent again only when it has changed`, async () => {
      const first = await app.get(path);
      const etag = String(first.headers.etag);
      assert.match(etag, /^"[\w-]+"$/);
      assert.equal(first.headers["cache-control"], "no-cache");
      for (const known of [etag, `"other", W/${etag}`]) {
        const again = await app.get(path, { "if-none-match": known });
        assert.deepEqual([again.status, again.body, again.headers.etag], [304, "", etag]);
        // A browser applies them to its copy.
        for (const name of ["content-security-policy", "x-frame-options", "cache-control"])
          assert.equal(again.headers[name], first.headers[name], name);
      }
      assert.equal((await app.get(path, { "if-none-match": '"other"' })).status, 200);
      assert.equal((await app.get(path, {}, "HEAD")).status, 200);
      assert.equal((await app.post(path, {})).headers.allow, "GET, HEAD");
    });
});

test("document and page need no credentials, whatever AUTH is", { timeout: 60_000 }, async () => {
  const provider = await IdentityProvider.start();
  const modes: Record<string, string>[] = [
    { AUTH: "keys", API_KEYS: randomUUID() },
    { AUTH: "supabase", SUPABASE_URL: provider.url },
  ];
  for (const mode of modes) {
    const app = await startApp({ DEMO_MODE: "true", ...mode });
    for (const path of ["/docs", "/openapi.json"]) assert.equal((await app.get(path)).status, 200);
    assert.equal((await app.get("/v1/models")).status, 401);
    assert.ok("bearer" in JSON.parse((await app.get("/openapi.json")).body).components.securitySchemes);
    await app.close();
  }
  await provider.close();
});
