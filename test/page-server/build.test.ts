/** The build of the page: what its policy allows, compressed, and nothing that the server would not send. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { build } from "vite";
import { z } from "zod";
import { loadBuild, type Build } from "../../src/page/build.ts";
import { makeTestFolder, useResource } from "../support/apps/use-app.ts";
import { makeFolder } from "../support/apps/start-app.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const web = join(root, "web");
const run = promisify(execFile);
const Packed = z.array(z.object({ files: z.array(z.object({ path: z.string() })) }));

describe("the build of the page", { timeout: 120_000 }, () => {
  let built: Build | undefined;
  let names: readonly string[] = [];
  useResource(async (closing) => {
    const folder = closing.adopt(await makeFolder(), (made) => made.remove());
    const output = await build({
      root: web,
      configFile: join(web, "vite.config.ts"),
      logLevel: "error",
      build: { outDir: folder.path },
    });
    assert.ok("output" in output);
    names = output.output.map(({ fileName }) => fileName);
    built = loadBuild(folder.path);
  });
  before(() => assert.ok(built !== undefined));

  test("has a document without inline scripts and styles, which loads only its own files", () => {
    const document = built?.document ?? "";
    for (const [, attributes = "", content = ""] of document.matchAll(
      /<script\b([^>]*)>([^]*?)<\/script>/g,
    )) {
      assert.match(attributes, /\bsrc="\.\/assets\//);
      assert.equal(content.trim(), "");
    }
    assert.doesNotMatch(document, /<style|\sstyle=|\son\w+=|javascript:|<base|<form/i);
    for (const [, address = ""] of document.matchAll(/\s(?:src|href)="([^"]*)"/g)) {
      assert.match(address, /^\.\/assets\//);
      assert.ok(built?.assets.has(address.slice("./assets/".length)), address);
    }
  });

  test("has a place for the configuration, and only files that the server sends, by names with a digest", () => {
    assert.match(built?.document ?? "", /<meta name="foreword" content='[^']*'/);
    for (const name of names.filter((each) => each !== "index.html")) {
      assert.match(name, /^assets\/[\w.-]+-[\w-]{8}\.(?:js|css|svg|woff2)$/);
      assert.ok(
        built?.assets.has(name.slice("assets/".length)),
        `${name} has a media type in src/page/build.ts`,
      );
    }
  });

  test("holds each file with brotli and gzip, but for fonts, which are compressed already", () => {
    assert.ok((built?.assets.size ?? 0) >= 3);
    for (const [name, { bytes, encoded }] of built?.assets ?? []) {
      if (name.endsWith(".woff2")) continue;
      assert.ok(brotliDecompressSync(encoded.get("br") ?? "").equals(bytes), name);
      assert.ok(gunzipSync(encoded.get("gzip") ?? "").equals(bytes), name);
    }
  });

  test("makes no code of strings, which the policy refuses", () => {
    for (const [name, { bytes }] of built?.assets ?? [])
      if (name.endsWith(".js"))
        assert.doesNotMatch(bytes.toString(), /\beval\(|\bnew Function\(|\bdocument\.write\(/, name);
  });

  test("is part of the package", async () => {
    const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root });
    const paths = (Packed.parse(JSON.parse(stdout))[0]?.files ?? []).map(({ path }) => path);
    const ofPage = paths.filter((path) => path.startsWith("web/"));
    assert.ok(ofPage.includes("web/dist/index.html"), "it is built: npm run build:page");
    assert.ok(ofPage.some((path) => /^web\/dist\/assets\/.*\.js\.br$/.test(path)));
    assert.deepEqual(
      ofPage.filter((path) => !path.startsWith("web/dist/")),
      [],
    );
  });
});

test("without Vite, the script that builds the page says so in one sentence, and does not fail", async (context) => {
  const folder = await makeTestFolder(context);
  const script = join(folder, "prepare.mjs");
  await copyFile(join(web, "prepare.js"), script);
  const { stdout, stderr } = await run(process.execPath, [script]);
  assert.equal(stdout, "The chat page is not built (Vite is not installed); the API works without it.\n");
  assert.equal(stderr, "");
  const { scripts } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  assert.equal(scripts.prepare, "node web/prepare.js");
});
