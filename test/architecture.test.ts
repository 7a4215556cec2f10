/** The import rule: which folder may import which, and which packages each may use. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { findCircles, listLoaded, listSources, readImports } from "../checks/imports.ts";

const root = fileURLToPath(new URL("../src", import.meta.url));
/** Folders and root files that each of them may import besides itself. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  turn: ["base"],
  auth: ["base", "turn"],
  model: ["base", "turn"],
  live: ["base", "turn"],
  store: ["base", "turn"],
  tools: ["base", "turn"],
  grounding: ["base", "turn"],
  http: ["base", "turn", "auth", "live"],
  history: ["base", "turn", "live", "store", "http"],
  files: ["base", "turn", "store", "http"],
  usage: ["base", "turn", "auth", "store", "http"],
  titles: ["base", "turn", "store"],
  knowledge: ["base", "turn", "store", "grounding", "http"],
  wires: ["base", "turn", "auth", "live", "http", "history"],
  observe: ["base", "turn"],
  openapi: ["base", "http"],
  page: ["base", "http"],
  "app.ts": [
    "base",
    "turn",
    "auth",
    "model",
    "live",
    "store",
    "tools",
    "grounding",
    "http",
    "history",
    "files",
    "usage",
    "titles",
    "knowledge",
    "wires",
    "observe",
    "openapi",
    "page",
  ],
  config: ["base", "model", "tools", "grounding", "app.ts"],
  command: ["base", "turn", "model", "store", "tools", "grounding", "config", "observe", "app.ts"],
  "main.ts": ["command", "config", "store"],
};

/** Packages that only these places may import. */
const homes: Readonly<Record<string, readonly string[]>> = {
  "@opentelemetry/api": ["observe"],
  fastify: ["http", "wires", "openapi", "observe", "app.ts"],
  "@fastify/cors": ["app.ts"],
  jose: ["auth"],
  openai: ["model"],
  undici: ["model", "store", "grounding"],
  "ipaddr.js": ["grounding"],
  pg: ["store"],
  ioredis: ["store"],
  "@electric-sql/pglite": ["store"],
  "@electric-sql/pglite-pgvector": ["store"],
  "@supabase/supabase-js": ["store"],
  "@modelcontextprotocol/client": ["tools"],
  "@modelcontextprotocol/client/stdio": ["tools"],
  "pdfjs-dist/legacy/build/pdf.mjs": ["grounding"],
  mammoth: ["grounding"],
  htmlparser2: ["grounding"],
  linkedom: ["grounding"],
  "@mozilla/readability": ["grounding"],
  "csv-parse/sync": ["grounding"],
  pino: ["observe"],
  "pino-pretty": ["observe"],
};

/** The packages that every server needs. All others are loaded by the features that are turned on. */
const loadedByAll: readonly string[] = ["@fastify/cors", "fastify", "pino", "uuid", "zod"];

/** The files that open connections, besides packages in their homes: addresses are the operator's. */
const connecting: readonly string[] = [
  "auth/key-set.ts",
  "command/control/control-client.ts", // another process, which is a client; a socket in DATA_DIR
  "command/documents/server-client.ts", // the same
  "command/status/status.ts",
  "grounding/embeddings/embedding-server.ts",
  "grounding/web/page-reader.ts", // and those that the search engine has found
  "grounding/web/public-connector.ts",
  "grounding/web/search-engine.ts",
  "model/connection-pool.ts",
  "model/server-probe.ts",
  "store/attachments/bucket.ts",
  "store/database/postgres/postgres-socket.ts",
  "store/database/supabase.ts",
  "tools/transport/bounded-fetch.ts",
];

/** An entry of the lock file. */
interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const files = listSources(root);
const imports = readImports(root, files).map((found) => ({ ...found, place: toPlace(found.file) }));

function toPlace(file: string): string {
  return file.split(sep)[0] ?? file;
}

describe("the source", () => {
  test("has an import rule for every folder and file at its root", () => {
    assert.deepEqual(Array.from(new Set(files.map(toPlace))).toSorted(), Object.keys(mayImport).toSorted());
    assert.ok(imports.length > 100, "the imports were read");
  });

  test("imports one way: base ← turn ← auth, model, live, store, tools, grounding, observe ← http ← history, files, usage, titles, knowledge ← wires, openapi, page ← app ← config ← command ← main", () => {
    const wrong = imports
      .filter(({ target }) => target.startsWith("."))
      .map(({ file, place, target }) => ({
        file,
        place,
        to: toPlace(relative(root, join(root, dirname(file), target))),
      }))
      .filter(({ place, to }) => place !== to && !mayImport[place]?.includes(to));
    assert.deepEqual(wrong, []);
  });

  test("keeps protocols apart: no wire imports another", () => {
    const toWire = (file: string): string | undefined => /^wires\/[^/]+/.exec(file.replaceAll(sep, "/"))?.[0];
    const wrong = imports
      .map(({ file, target }) => ({ file, from: toWire(file), to: toWire(join(dirname(file), target)) }))
      .filter(({ from, to }) => from !== undefined && to !== undefined && from !== to);
    assert.deepEqual(wrong, []);
  });

  test("lets wires read rows of the history, but not its routes", () => {
    const read = imports.filter(
      ({ place, file, target }) =>
        place === "wires" && join(dirname(file), target).startsWith(`history${sep}`),
    );
    assert.deepEqual(
      read.filter(({ target }) => /\/(?:routes|request|operations)\.ts$/.test(target)),
      [],
    );
  });

  test("has no circular imports, not even of types", () => {
    assert.deepEqual(findCircles(imports), []);
  });

  test("has at most 15 files in a folder", () => {
    const folders = Object.entries(Object.groupBy(files, (file) => dirname(file)));
    assert.deepEqual(
      folders.filter(([, { length } = []]) => length > 15),
      [],
    );
  });

  test("opens each file with a doc comment", () => {
    for (const file of files)
      assert.match(readFileSync(join(root, file), "utf8"), /^(?:#!.*\n)?\/\*\*/, file);
  });

  test("imports each package only in its home folders", () => {
    const wrong = imports.filter(
      ({ place, target }) => homes[target] !== undefined && !homes[target].includes(place),
    );
    assert.deepEqual(wrong, []);
  });

  test("opens connections in a few files only, and fetches no address that a model wrote", () => {
    const opens =
      /(?<![.#\w])fetch\(|^import \{[^}]*\b(?:request|get|connect|createConnection|fetch|Agent|Client)\b[^}]*\} from "(?:undici|node:(?:https?|http2|net|tls|dgram))";/m;
    const found = files.filter((file) => opens.test(readFileSync(join(root, file), "utf8")));
    assert.deepEqual(found, connecting);
    // The only reader of addresses that are not the operator's is given the results of a search, by one file.
    const readers = imports.filter(({ target }) => target.endsWith("/page-reader.ts"));
    assert.deepEqual(
      readers.map(({ file }) => file),
      [join("grounding", "web", "web-search.ts")],
    );
  });

  test("reads the configuration only in the main file, and the environment only in the configuration", () => {
    const readers = imports.filter(({ target }) => target.endsWith("/config.ts")).map(({ file }) => file);
    assert.deepEqual(readers, ["main.ts"]);
    // Settings for Node itself are written, not read.
    const touching = files.filter((file) =>
      /process\.env(?!\["NODE_\w+"\] \|\|=)/.test(readFileSync(join(root, file), "utf8")),
    );
    assert.deepEqual(touching, ["config/config.ts"]);
  });

  test("loads none of its own modules in the main file before the compile cache is set", () => {
    const own = imports.filter(({ file }) => file === "main.ts");
    const early = own.filter(({ isLate, target }) => !isLate && !target.startsWith("node:"));
    assert.deepEqual(early, []);
    assert.ok(own.some(({ isLate }) => isLate));
  });

  test("loads the package of a feature only if the feature is on", () => {
    const early = imports.filter(({ isLate, isType }) => !isLate && !isType);
    for (const start of ["app.ts", join("config", "config.ts"), join("command", "serve.ts")]) {
      const loaded = listLoaded(start, early);
      const packages = early.filter(({ file, target }) => loaded.has(file) && !/^(?:\.|node:)/.test(target));
      const others = packages.filter(({ target }) => !loadedByAll.includes(target));
      assert.deepEqual(others, [], start);
    }
  });
});

describe("foreword-client", () => {
  const folder = fileURLToPath(new URL("../packages/foreword-client/src", import.meta.url));
  const modules = listSources(folder);
  const found = readImports(folder, modules);

  test("imports only its own files, types of the server and of assistant-ui, and code that both share", () => {
    const shared = "../../../src/base/shared/citations.ts";
    assert.deepEqual(
      imports.filter(({ file }) => file === join("base", "shared", "citations.ts")),
      [],
    );
    const wrong = found.filter(
      ({ target, isType }) =>
        !/^\.\.?\/[^.]/.test(target) &&
        target !== shared &&
        !(isType && (/^(?:\.\.\/){3,4}src\//.test(target) || target === "@assistant-ui/react")),
    );
    assert.deepEqual(wrong, []);
    assert.ok(found.some(({ target }) => target === "../../../src/wires/foreword/event-stream.ts"));
  });

  test("takes the shapes of the wires, and nothing from the parts of the server behind them", () => {
    const places = found
      .map(({ target }) => /^(?:\.\.\/){3,4}src\/(\w+)/.exec(target)?.[1])
      .filter((place) => place !== undefined);
    const mayRead = new Set(["base", "http", "history", "knowledge", "usage", "wires"]);
    assert.deepEqual(
      places.filter((place) => !mayRead.has(place)),
      [],
    );
  });

  test("uses nothing that only Node has", () => {
    for (const file of [
      ...modules.map((each) => join(folder, each)),
      join(root, "base/shared/citations.ts"),
    ]) {
      const text = readFileSync(file, "utf8");
      assert.doesNotMatch(text, /\bimport\(|\brequire\(|^import "|\bBuffer\.|\bprocess\./m, file);
    }
  });

  test("keeps the core apart from the adapters", () => {
    const toAdapters = found.filter(
      ({ file, target }) => !file.includes(sep) && /\.\/(?:assistant-ui|supabase)\//.test(target),
    );
    assert.deepEqual(toAdapters, []);
  });

  test("has no circular imports, opens each file with a doc comment, and has at most 15 in a folder", () => {
    assert.deepEqual(findCircles(found), []);
    for (const file of modules) assert.match(readFileSync(join(folder, file), "utf8"), /^\/\*\*/, file);
    for (const folderFiles of Object.values(Object.groupBy(modules, (file) => dirname(file))))
      assert.ok((folderFiles?.length ?? 0) <= 15);
  });
});

describe("the lock file", () => {
  test("has every package that another one needs, on all platforms, as npm ci requires", () => {
    const lock = readFileSync(new URL("../package-lock.json", import.meta.url), "utf8");
    const { packages }: { readonly packages: Readonly<Record<string, LockedPackage>> } = JSON.parse(lock);
    /** Whether `name` is installed in `place` or above it. */
    const isLocked = (place: string, name: string): boolean =>
      Object.hasOwn(packages, `${place}node_modules/${name}`) ||
      (place !== "" && isLocked(place.slice(0, Math.max(0, place.lastIndexOf("node_modules/"))), name));
    const missing = Object.entries(packages).flatMap(([place, { dependencies, optionalDependencies }]) =>
      Object.keys({ ...dependencies, ...optionalDependencies })
        .filter((name) => !isLocked(`${place}/`, name))
        .map((name) => `${name} of ${place}`),
    );
    assert.deepEqual(missing, [], "npm install drops packages that its registry lacks: put them back");
  });
});
