/**
 * Writes bench/RESULTS.md: the table and the conditions of its measurement; prose written by hand is kept.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { parseLine, toTableHead, toTableLine, type Measured } from "./table.ts";
import { peerNames } from "../peers/peers.ts";
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
  "@electric-sql/pglite",
  "undici",
];

/** How figures were measured. */
export interface Conditions {
  readonly command: string;
  readonly rounds: number;
}

function read(): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function describePackages(): string {
  const { version, dependencies, devDependencies } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  const versions: Record<string, string> = { ...dependencies, ...devDependencies };
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

function readCommit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  } catch {
    return "unknown commit";
  }
}

/** Returns the date, commit and rounds of a measurement made now. */
export function toMeasured({ rounds }: Conditions): Measured {
  return { when: `${new Date().toISOString().slice(0, 10)}, ${readCommit()}`, rounds };
}

/** Writes `rows` into the file. Lines of scenarios that were not run are kept, and so is the prose. */
export function writeResults(rows: readonly Row[], conditions: Conditions): void {
  const old = read();
  const measured = toMeasured(conditions);
  const [head = "", rule = ""] = toTableHead(peerNames);
  const oldLines = old.includes(head) ? old.split("\n").filter((line) => line.startsWith("| ")) : [];
  const lines = scenarios.flatMap(({ name }) => {
    const fresh = rows.filter(({ scenario }) => scenario === name);
    if (fresh.length > 0) return fresh.map((row) => toTableLine(row, peerNames, measured));
    return oldLines.filter((line) => parseLine(line)[0] === name);
  });
  const kept = old.includes(proseStart)
    ? old.slice(old.indexOf(proseStart) + proseStart.length, old.indexOf(proseEnd))
    : "\n";
  writeFileSync(
    file,
    `# Benchmark results

Written by \`npm run bench\`, last by \`${conditions.command}\`. [README.md](README.md) describes the scenarios.

- Machine: ${describeMachine()}.
- Versions: ${describePackages()}.
- Medians of interleaved rounds. The ratio is Foreword's figure divided by raw-parse's, or by the figure that the
  target names. Every body was compared byte for byte with the upstream's script.

${[head, rule, ...lines].join("\n")}

${proseStart}${kept}${proseEnd}
`,
  );
}
