/**
 * Writes bench/RESULTS.md: the table and the conditions of its measurement; prose written by hand is kept.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { parseLine, toTableHead, toTableLine } from "./table.ts";
import { ownCheckout, type Checkout } from "../peers/checkout.ts";
import { counterparts, forewordPeers, peerNames } from "../peers/peers.ts";
import { compare } from "./noise.ts";
import { canPin } from "../peers/processors.ts";
import type { Row } from "./row.ts";
import { scenarios } from "../scenarios/scenarios.ts";

const file = new URL("../RESULTS.md", import.meta.url);
const proseStart = "<!-- prose: kept by hand -->";
const proseEnd = "<!-- /prose -->";
const measuredPackages = [
  "fastify",
  "openai",
  "ai",
  "@ai-sdk/openai-compatible",
  "@mastra/core",
  "@electric-sql/pglite",
  "undici",
];

function read(): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function describePackages(): string {
  const readManifest = (name: string) =>
    JSON.parse(readFileSync(new URL(`../../${name}package.json`, import.meta.url), "utf8"));
  const { version, dependencies, devDependencies } = readManifest("");
  const versions: Record<string, string> = {
    ...dependencies,
    ...devDependencies,
    ...readManifest("bench/peers/mastra/").dependencies,
  };
  return [`foreword ${version}`, ...measuredPackages.map((name) => `${name} ${versions[name]}`)].join(", ");
}

function describeMachine(): string {
  const [first] = cpus();
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  const pinning = canPin
    ? "each peer alone on one of them, upstream and load generator on the others"
    : "nothing pinned to any of them";
  return (
    `${cpus().length} cores (${first?.model.trim() ?? "unknown"}), ${pinning}; ${gibibytes} GiB; ` +
    `Linux ${/^\d+\.\d+/.exec(release())?.[0]}; Node ${process.version}`
  );
}

/** Returns the date and commit of a measurement made now. */
export function toWhen(): string {
  return `${new Date().toISOString().slice(0, 10)}, ${ownCheckout.commit}`;
}

/** Returns a sentence on the other checkout and on how the table compares with it; nothing without one. */
export function describeAgainst(against: Checkout | undefined): string {
  if (against === undefined) return "";
  return `
against: ${against.root} at ${against.commit}; this checkout: ${ownCheckout.commit}. A difference is beyond noise if a
rank-sum test of the rounds gives p ≤ 0.05; of twenty figures that did not change, one may appear so by chance.
`;
}

/** Returns the rows with the figures of every round as JSON. */
export function toJson(
  rows: readonly Row[],
  { command, against }: { readonly command: string; readonly against: Checkout | undefined },
): string {
  const report = {
    command,
    measuredAt: new Date().toISOString(),
    commit: ownCheckout.commit,
    against,
    machine: describeMachine(),
    versions: describePackages(),
    rows: rows.map((row) => ({ ...row, differences: against && toDifferences(row) })),
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

/** Returns the comparisons of a row with the other checkout, by peer. */
function toDifferences({ samples }: Row): object {
  const pairs = forewordPeers.map((peer) => [peer, samples[peer], samples[counterparts[peer]]] as const);
  return Object.fromEntries(
    pairs.flatMap(([peer, ours, theirs]) => (ours && theirs ? [[peer, compare(ours, theirs)]] : [])),
  );
}

/** Writes `rows` into the file. Lines of scenarios that were not run are kept, and so is the prose. */
export function writeResults(rows: readonly Row[], command: string): void {
  const old = read();
  const when = toWhen();
  const [head = "", rule = ""] = toTableHead(peerNames);
  const oldLines = old.includes(head) ? old.split("\n").filter((line) => line.startsWith("| ")) : [];
  const lines = scenarios.flatMap(({ name }) => {
    const fresh = rows.filter(({ scenario }) => scenario === name);
    if (fresh.length > 0) return fresh.map((row) => toTableLine(row, peerNames, when));
    return oldLines.filter((line) => parseLine(line)[0] === name);
  });
  const kept = old.includes(proseStart)
    ? old.slice(old.indexOf(proseStart) + proseStart.length, old.indexOf(proseEnd))
    : "\n";
  writeFileSync(
    file,
    `# Benchmark results

Written by \`npm run bench\`, last by \`${command}\`. [README.md](README.md) describes the scenarios.

- Machine: ${describeMachine()}.
- Versions: ${describePackages()}.
- Medians of interleaved rounds. The columns with ÷ are Foreword's figure divided by raw-parse's and by raw-passthrough's,
  or by the figure that the target names. Every body was compared byte for byte with the upstream's script.

${[head, rule, ...lines].join("\n")}

${proseStart}${kept}${proseEnd}
`,
  );
}
