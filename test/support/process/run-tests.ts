/**
 * Runs `npm test`: two processes at once. The files of most folders share one, since it takes a second of CPU
 * to load the server. Given folders or files, it runs their tests alone.
 */
import { globSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath, pathToFileURL } from "node:url";
import { testFlags } from "./test-flags.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const cache = join(root, "node_modules/.cache/foreword-test");

/** They measure memory or time, break their process, or take long: each file has a process of its own. */
const apart =
  /^test\/(?:(?:bench|faults|page|proxy|store\/crowd)\/|store\/database\/(?:flat-cost|full-disk|isolation)\.)/;
/** Folders of short tests, which fill the end of the run. */
const short = /^test\/(?!command|flow|http|store|tools)/;

/** Returns the files of each process, in the order in which they start. */
function listProcesses(chosen: readonly string[]): (readonly string[])[] {
  const all = globSync("test/**/*.test.ts", { cwd: root, exclude: ["test/slow/**"] })
    .map((file) => file.replaceAll(sep, "/"))
    .filter((file) => chosen.length === 0 || chosen.some((place) => `${file}/`.startsWith(`${place}/`)))
    .toSorted();
  const alone = all.filter((file) => apart.test(file)).map((file) => [file]);
  const shared = Object.values(
    Object.groupBy(
      all.filter((file) => !apart.test(file)),
      (file) => dirname(file),
    ),
  )
    .map((files = []) => files)
    .toSorted((one, other) => other.length - one.length);
  const isShort = ([file = ""]: readonly string[]): boolean => short.test(file);
  const long = shared.filter((files) => !isShort(files));
  return [...mix(long, alone), ...shared.filter(isShort)];
}

/** Mixes two lists evenly: tests that compute, and tests that wait for the other half of their time. */
function mix<Item>(one: readonly Item[], other: readonly Item[]): Item[] {
  const place = (items: readonly Item[]): { item: Item; at: number }[] =>
    items.map((item, index) => ({ item, at: index / items.length }));
  return [...place(one), ...place(other)].toSorted((a, b) => a.at - b.at).map(({ item }) => item);
}

const processes = listProcesses(process.argv.slice(2));
await mkdir(cache, { recursive: true });
const folder = await mkdtemp(join(cache, "run-"));
const files = await Promise.all(
  processes.map(async ([first = "", ...others]) => {
    if (others.length === 0) return join(root, first);
    const path = join(folder, `${dirname(first).replaceAll("/", "-")}.mjs`);
    const imports = [first, ...others].map((file) => `import "${pathToFileURL(join(root, file)).href}";\n`);
    await writeFile(path, imports.join(""));
    return path;
  }),
);
const results = run({ files, concurrency: 2, execArgv: testFlags }).on("test:fail", ({ todo }) => {
  if (todo === undefined || todo === false) process.exitCode = 1;
});
for await (const text of results.compose(spec)) process.stdout.write(String(text));
await rm(folder, { recursive: true });
