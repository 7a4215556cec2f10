/** `GET /assets/:name`: compressed, never changed, and nothing from outside the build. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { pino } from "pino";
import { systemClock } from "../../src/base/clock.ts";
import { mebibyte } from "../../src/base/sizes.ts";
import { createHttpServer } from "../../src/http/http-server.ts";
import { registerRoutes } from "../../src/http/route.ts";
import { Page } from "../../src/page/page.ts";
import { pageRoutes, toPageServices } from "../../src/page/routes.ts";
import { makeTestFolder } from "../support/apps/use-app.ts";

const document = `<!doctype html><meta name="foreword" content='{}' /><title>Page</title>`;
const immutable = "public, max-age=31536000, immutable";

/** Writes a build into `folder`, beside a file that must stay hidden. */
async function writeBuild(folder: string): Promise<void> {
  const assets = join(folder, "assets");
  await mkdir(assets, { recursive: true });
  await writeFile(join(assets, "main-1.js"), "plain");
  await writeFile(join(assets, "main-1.js.br"), "brotli");
  await writeFile(join(assets, "main-1.js.gz"), "gzip");
  await writeFile(join(assets, "icon-1.svg"), "<svg/>");
  await writeFile(join(assets, "notes.txt"), "hidden");
  await writeFile(join(folder, "hidden.js"), "hidden");
  await writeFile(join(folder, "index.html"), document);
}

/** Starts a server of the routes alone, with the build in `folder`. */
function serve(context: TestContext, folder: string) {
  const { app: http } = createHttpServer({
    trustedProxies: [],
    hosts: undefined,
    observe: () => {},
    clock: systemClock,
    logger: pino({ level: "silent" }),
    bodies: { maxBodyBytes: mebibyte, maxBodiesBytes: mebibyte, keepsChats: false },
    maxConnections: 10,
  });
  const page = new Page({ auth: "none", title: "Foreword" }, folder);
  registerRoutes(http, pageRoutes, toPageServices(page, "none"));
  context.after(() => http.close());
  return async (url: string, headers: Record<string, string> = {}, method: "GET" | "HEAD" = "GET") =>
    await http.inject({ method, url, headers });
}

describe("GET /assets/:name", { timeout: 60_000 }, () => {
  test("sends the smallest form that the client takes, to be kept for ever", async (context) => {
    const folder = await makeTestFolder(context);
    await writeBuild(folder);
    const get = serve(context, folder);
    const cases: readonly [accept: string | undefined, encoding: string | undefined, body: string][] = [
      ["gzip, deflate, br, zstd", "br", "brotli"],
      ["GZIP", "gzip", "gzip"],
      ["*", "br", "brotli"],
      ["br;q=0, *", "gzip", "gzip"],
      ["br;q=0, gzip;q=0.1", "gzip", "gzip"],
      ["br;q=0,gzip;q=0", undefined, "plain"],
      ["gzip;q=none", undefined, "plain"],
      ["identity", undefined, "plain"],
      ["", undefined, "plain"],
      [undefined, undefined, "plain"],
    ];
    for (const [accept, encoding, body] of cases)
      for (const method of ["GET", "HEAD"] as const) {
        const headers = accept === undefined ? {} : { "accept-encoding": accept };
        const response = await get("/assets/main-1.js", headers, method);
        assert.equal(response.statusCode, 200);
        assert.equal(response.headers["content-encoding"], encoding, accept);
        assert.equal(response.headers["content-length"], String(body.length));
        assert.equal(response.body, method === "HEAD" ? "" : body);
        assert.equal(response.headers["content-type"], "text/javascript; charset=utf-8");
        assert.equal(response.headers["cache-control"], immutable);
        assert.equal(response.headers.vary, "Accept-Encoding");
      }
    const icon = await get("/assets/icon-1.svg", { "accept-encoding": "br" });
    assert.deepEqual([icon.body, icon.headers["content-encoding"]], ["<svg/>", undefined]);
    assert.equal(icon.headers["content-type"], "image/svg+xml");
  });

  test("sends no file but those of the build, whatever the name", async (context) => {
    const folder = await makeTestFolder(context);
    await writeBuild(folder);
    const get = serve(context, folder);
    for (const name of [
      "hidden.js",
      "..%2fhidden.js",
      "%2e%2e%2fhidden.js",
      "..%5chidden.js",
      "%252e%252e%252fhidden.js",
      "%2fetc%2fpasswd",
      "main-1.js.br",
      "main-1.js%00",
      "MAIN-1.JS",
      "notes.txt",
      "index.html",
      "%2e%2e%2f",
      "__proto__",
      "constructor",
      "",
      "a".repeat(5_000),
    ]) {
      const { statusCode, body } = await get(`/assets/${name}`);
      assert.ok(statusCode === 404 || statusCode === 400, `${name}: ${statusCode}`);
      assert.notEqual(body, "hidden", name);
    }
  });
});

describe("a server without a build", { timeout: 60_000 }, () => {
  const browser = { accept: "text/html" };

  test("tells browsers how to build the page, and has it once it is built", async (context) => {
    const folder = await makeTestFolder(context);
    const get = serve(context, folder);
    const { statusCode, body } = await get("/", browser);
    assert.equal(statusCode, 200);
    assert.match(body, /The chat page has not been built: run <code>npm ci<\/code>/);
    assert.equal((await get("/")).json().name, "Foreword");
    assert.equal((await get("/assets/main-1.js")).statusCode, 404);
    await writeBuild(folder);
    const built = await get("/", browser);
    assert.match(built.body, /<meta name="foreword" content="\{&#34;auth&#34;:&#34;none&#34;/);
    assert.equal((await get("/assets/main-1.js")).body, "plain");
  });

  test("keeps serving the build that it has loaded when the folder is built again", async (context) => {
    const folder = await makeTestFolder(context);
    await writeBuild(folder);
    const get = serve(context, folder);
    await writeFile(join(folder, "index.html"), "broken");
    await writeFile(join(folder, "assets", "main-1.js"), "other");
    assert.match((await get("/", browser)).body, /<title>Foreword<\/title>/);
    assert.equal((await get("/assets/main-1.js")).body, "plain");
  });
});
