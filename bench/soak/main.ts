/**
 * `npm run soak`: runs servers of this checkout under a steady load, and shows whether anything grows that
 * should not: memory, descriptors, logs, dead rows.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { nextSignal, runMain } from "../clean-up.ts";
import { startUpstream } from "../scenarios/context.ts";
import { toReport, toTable, type StoreReport } from "./report.ts";
import { SoakedServer } from "./soaked-server.ts";
import { storeNames, type StoreName } from "./soaked-stores.ts";

const help = `Usage: npm run soak -- [options]

Runs Foreword under a steady load of turns, reads, searches, stops, reloads, images and deletions, and samples its
memory, descriptors, logs and tables. Prints the trend of each after a warm-up of three tenths of the time.
Exits with 1 if one grows by more than 5 % in the rest, and with 2 if a response is wrong.

Options:
  --minutes <n>    how long (10); under ten minutes much still grows because the server has just started
  --store <name>   pglite, postgres, or both, side by side (both)
  --rate <n>       visits of users a second on each store (5)
  --json           prints all samples and trends as JSON instead of the table
  -h, --help       prints this help
`;

const warmUpPart = 0.3;
const longestSampleMs = 10_000;
const samplesPerRun = 60;

const toNumber = (name: string) =>
  z.coerce.number(`${name} must be a number`).positive(`${name} must be above 0`);
const Options = z.object({
  minutes: toNumber("--minutes").prefault("10"),
  store: z
    .enum([...storeNames, "both"], `--store must be ${storeNames.join(", ")} or both`)
    .prefault("both")
    .transform((store): readonly StoreName[] => (store === "both" ? storeNames : [store])),
  rate: toNumber("--rate").prefault("5"),
  json: z.boolean().default(false),
  help: z.boolean().default(false),
});
type Options = z.infer<typeof Options>;

/** @throws Error whose message tells how to correct the arguments. */
function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string" },
      store: { type: "string" },
      rate: { type: "string" },
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  const result = Options.safeParse(values);
  if (result.success) return result.data;
  throw new Error(result.error.issues.map(({ message }) => message).join("\n"));
}

function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
}

async function soak({ minutes, store, rate }: Options): Promise<readonly StoreReport[]> {
  const upstream = await startUpstream();
  say(`starting ${store.join(" and ")} …`);
  const servers = await Promise.all(store.map(async (name) => await SoakedServer.start(name, upstream.url)));
  for (const server of servers) server.begin(rate);
  const everyMs = Math.min(longestSampleMs, (minutes * 60_000) / samplesPerRun);
  const startMs = performance.now();
  const count = Math.round((minutes * 60_000) / everyMs);
  for (let index = 0; index <= count; index += 1) {
    await wait(Math.max(0, startMs + index * everyMs - performance.now()));
    const lines = await Promise.all(servers.map(async (server) => await server.sample()));
    const passed = (index * everyMs) / 60_000;
    if (index % Math.ceil(longestSampleMs / everyMs) === 0)
      say(`${passed.toFixed(1)} of ${minutes} min; ${lines.join("; ")}`);
  }
  return await Promise.all(
    servers.map(async (server) => toReport(server, await server.end(), warmUpPart * minutes)),
  );
}

/** Resolves with the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const reports = await Promise.race([soak(options), nextSignal()]);
  if (reports === "interrupted") return 130;
  process.stdout.write(
    options.json ? `${JSON.stringify({ minutes: options.minutes, stores: reports })}\n` : toTable(reports),
  );
  for (const { store, reasons } of reports) for (const reason of reasons) say(`${store}: ${reason}`);
  if (reports.some(({ failures }) => failures > 0)) return 2;
  return reports.some(({ trends }) => trends.some(({ isGrowing }) => isGrowing)) ? 1 : 0;
}

await runMain(main);
