/**
 * `npm run bench:backup`: a backup of the embedded database while turns stream: its time and size, and the
 * longest gap that a reader sees, beside the same turns without a backup.
 */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { mebibyte } from "../src/base/sizes.ts";
import { openEmbeddedRows } from "../src/store/moving/row-session.ts";
import { ScriptedModel, type ScriptedCall } from "../test/support/model/scripted-model.ts";
import { atEnd, cleanUp, makeTemporaryFolder } from "./clean-up.ts";
import { startForeword } from "./peers/foreword.ts";
import { seedRows } from "./seed/seed-rows.ts";

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "50000" },
    streams: { type: "string", default: "20" },
    "every-ms": { type: "string", default: "20" },
    seconds: { type: "string", default: "20" },
  },
});
const [messages = 0, streams = 0, everyMs = 0, seconds = 0] = [
  values.messages,
  values.streams,
  values["every-ms"],
  values.seconds,
].map(Number);

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const tables = { conversations: "conversations", messages: "messages", turns: "turns" };
/** Has a process print the most memory that it has used. */
const tellMemory =
  "data:text/javascript,process.on('exit',()=>console.error('memory',process.resourceUsage().maxRSS))";
/** The start of each reply. */
const start = "- p\n---RESPONSE---\nWell, ";
const model = new ScriptedModel();

/** Fills the embedded database of a folder. */
async function fill(dataDir: string): Promise<void> {
  const rows = await openEmbeddedRows(dataDir, { tables, hasVectors: false });
  const session = {
    query: async (text: string, parameters: unknown[] = []) => ({
      rows: [...(await rows.query(text, parameters.map(String)))],
    }),
  };
  await seedRows(session, { conversations: messages / 20, messages, userId: randomUUID() });
  await rows.close();
}

/** Starts a turn; resolves with its model's call, and at its end with the gaps between its bytes. */
async function startTurn(url: string) {
  const startMs = performance.now();
  const next = model.nextCall();
  const opening = fetch(`${url}/stream-chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ sender: "user", text: "Hello" }], userId: randomUUID() }),
  });
  const call = (await next).text(start);
  const response = await opening;
  const gaps = [performance.now() - startMs];
  const read = async (): Promise<{ readonly gaps: readonly number[]; readonly bytes: number }> => {
    let [lastMs, bytes] = [performance.now(), 0];
    for await (const chunk of response.body ?? []) {
      gaps.push(performance.now() - lastMs);
      lastMs = performance.now();
      bytes += chunk.length;
    }
    return { gaps, bytes };
  };
  return { call, reading: read() };
}

/** Sends pieces until aborted; resolves with the bytes of the whole reply. */
async function speak(call: ScriptedCall, signal: AbortSignal): Promise<number> {
  const piece = "A piece of a reply. ";
  let bytes = start.length;
  for (; !signal.aborted; bytes += piece.length) {
    call.text(piece);
    await wait(everyMs);
  }
  call.finish();
  return bytes;
}

/** Streams while `work` runs, and starts short turns meanwhile; resolves with a line of the table. */
async function measure(name: string, url: string, work: () => Promise<unknown>): Promise<string> {
  const stopping = new AbortController();
  const turns = [];
  for (let index = 0; index < streams; index += 1) turns.push(await startTurn(url));
  const speaking = turns.map(async ({ call, reading }) => {
    const [said, read] = await Promise.all([speak(call, stopping.signal), reading]);
    if (said !== read.bytes) throw new Error(`${read.bytes} of ${said} bytes have arrived`);
    return read.gaps.slice(1);
  });
  const starts: number[] = [];
  const working = work().finally(() => stopping.abort());
  while (!stopping.signal.aborted) {
    const { call, reading } = await startTurn(url);
    call.finish();
    starts.push((await reading).gaps[0] ?? Number.NaN);
    await wait(50);
  }
  await working;
  const gaps = (await Promise.all(speaking)).flat();
  return `| ${name} | ${[...toFigures(gaps), ...toFigures(starts)].join(" | ")} |`;
}

function toFigures(found: readonly number[]): readonly string[] {
  const sorted = found.toSorted((one, other) => one - other);
  return [0.5, 0.99, 1].map((part) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN).toFixed(0),
  );
}

try {
  await model.start();
  atEnd(() => model.close());
  const folder = await makeTemporaryFolder();
  const dataDir = join(folder.path, "data");
  await fill(dataDir);
  const { url } = await startForeword({ upstreamUrl: model.url.replace(/\/v1$/, ""), dataDir });
  await measure("warm-up", url, async () => await wait(5_000));
  const lines = [await measure("no backup", url, async () => await wait(seconds * 1_000))];
  const file = join(folder.path, "backup.ndjson.gz");
  const startMs = performance.now();
  let kibibytes = "";
  lines.push(
    await measure("backup", url, async () => {
      const env = { ...process.env, DATA_DIR: dataDir };
      const args = ["--import", tellMemory, main, "backup", file];
      const { stderr } = await promisify(execFile)(process.execPath, args, { env });
      [, kibibytes = ""] = /memory (\d+)/.exec(stderr) ?? [];
    }),
  );
  const tookMs = performance.now() - startMs;
  lines.push(await measure("no backup", url, async () => await wait(seconds * 1_000)));
  process.stdout.write(
    `A backup of ${messages} messages beside ${streams} streams took ${(tookMs / 1000).toFixed(1)} s and ${(Number(kibibytes) / 1024).toFixed(0)} MiB of memory, and its file has ${((await stat(file)).size / mebibyte).toFixed(1)} MiB.

| ms | gap p50 | p99 | most | first byte of a turn p50 | p99 | most |
|---|---:|---:|---:|---:|---:|---:|
${lines.join("\n")}
`,
  );
} finally {
  await cleanUp();
}
