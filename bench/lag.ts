/**
 * `npm run bench:lag`: how long text takes from the model to a client of its own server and of another server
 * on the same Postgres, and a stop the other way: by polling, by wake-ups, and by Redis if it is installed.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { v7 as createId } from "uuid";
import type { ScriptedCall } from "../test/support/model/scripted-model.ts";
import { RedisServer, withoutRedis } from "../test/support/databases/redis-server.ts";
import { ScriptedModel } from "../test/support/model/scripted-model.ts";
import { atEnd, cleanUp } from "./clean-up.ts";
import { readProcessorTime } from "./load/process-usage.ts";
import { openPostgres } from "./peers/databases.ts";
import { startForeword, type RunningServer } from "./peers/foreword.ts";

const { values } = parseArgs({
  options: {
    turns: { type: "string", default: "5" },
    pieces: { type: "string", default: "200" },
    "every-ms": { type: "string", default: "50" },
    stops: { type: "string", default: "40" },
  },
});
const [turns, pieces, everyMs, stops] = [values.turns, values.pieces, values["every-ms"], values.stops].map(
  Number,
);

/** Two servers of one Postgres: turns run on the first, and are followed on both. */
interface Pair {
  readonly own: RunningServer;
  readonly other: RunningServer;
}

const model = new ScriptedModel();

/** Starts a turn; resolves with the model's end of it, its id, and the reply's bytes. */
async function startTurn({ own }: Pair) {
  const userId = createId();
  const next = model.nextCall();
  const opening = fetch(`${own.url}/stream-chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ sender: "user", text: "Hi" }], userId }),
  });
  const call = (await next).text("- p\n---RESPONSE---\n");
  const response = await opening;
  return { call, response, userId, turnId: response.headers.get("x-turn-id") ?? "" };
}

/** Resolves, at the end of a reply, with how long each piece has taken since it was sent. */
async function readLags(response: Response, sentMs: readonly number[]): Promise<readonly number[]> {
  const lags: number[] = [];
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    const nowMs = performance.now();
    while (text.includes(`#${lags.length};`)) lags.push(nowMs - (sentMs[lags.length] ?? nowMs));
  }
  if (lags.length !== sentMs.length)
    throw new Error(`${lags.length} of ${sentMs.length} pieces have arrived: ${text.slice(-200)}`);
  return lags;
}

async function say(call: ScriptedCall, sentMs: number[], count: number, delayMs: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await wait(delayMs * (0.5 + Math.random()));
    sentMs.push(performance.now());
    call.text(`#${index};`);
  }
  call.finish();
}

async function measureText(pair: Pair): Promise<readonly (readonly number[])[]> {
  const lags: number[][] = [[], []];
  const started = [];
  for (let index = 0; index < (turns ?? 0); index += 1) started.push(await startTurn(pair));
  await Promise.all(
    started.map(async ({ call, response, userId, turnId }) => {
      const sentMs: number[] = [];
      const remote = await fetch(`${pair.other.url}/turns/${turnId}/stream?userId=${userId}&after=0`);
      const reading = Promise.all([readLags(response, sentMs), readLags(remote, sentMs)]);
      await say(call, sentMs, pieces ?? 0, everyMs ?? 0);
      for (const [index, list] of (await reading).entries()) lags[index]?.push(...list);
    }),
  );
  return lags;
}

/** Resolves with how long stops take, from the request on the other server to the model's closed end. */
async function measureStops(pair: Pair): Promise<readonly number[]> {
  const lags: number[] = [];
  for (let index = 0; index < (stops ?? 0); index += 1) {
    const { call, response, userId, turnId } = await startTurn(pair);
    await wait(300 + Math.random() * 500); // at any time between two saves
    const startMs = performance.now();
    const url = `${pair.other.url}/turns/${turnId}/stop?userId=${userId}`;
    const stopped = fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    await call.closed;
    lags.push(performance.now() - startMs);
    await Promise.all([stopped.then(async (answer) => answer.text()), response.text()]);
  }
  return lags;
}

function toLine(name: string, lags: readonly number[]): string {
  const sorted = lags.toSorted((one, other) => one - other);
  const figures = [0.5, 0.9, 0.99, 1].map(
    (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN,
  );
  return `| ${name} | ${figures.map((ms) => ms.toFixed(0)).join(" | ")} |`;
}

/** Measures a new pair of servers; resolves with lines of a table. */
async function measure(name: string, variables: Readonly<Record<string, string>>) {
  const start = async (): Promise<RunningServer> =>
    await startForeword({
      upstreamUrl: model.url.replace(/\/v1$/, ""),
      variables: { ...variables, LIMIT_CONCURRENT_TURNS: "0" },
    });
  const pair = { own: await start(), other: await start() };
  await measureStops(pair); // warms up
  const readMs = (): number[] =>
    [pair.own, pair.other].map(({ program }) => readProcessorTime(program.pid).allMs);
  const before = readMs();
  const startMs = performance.now();
  const [own = [], other = []] = await measureText(pair);
  const seconds = (performance.now() - startMs) / 1_000;
  const costs = readMs().map((ms, index) => ((ms - (before[index] ?? 0)) / seconds).toFixed(0));
  const stopped = await measureStops(pair);
  await Promise.all([pair.own.close(), pair.other.close()]);
  return [
    toLine(`own server, ${name}`, own),
    toLine(`other server, ${name}`, other),
    toLine(`stop through the other server, ${name}`, stopped),
    `| processor time of the two servers, ms a second, ${name} | ${costs.join(" | ")} | | |`,
  ];
}

/** Measures a pair with a Redis; resolves with no lines without one. */
async function measureRedis(variables: Readonly<Record<string, string>>): Promise<readonly string[]> {
  if (withoutRedis !== false) return [];
  const redis = new RedisServer();
  await redis.start();
  atEnd(() => redis.stop());
  return await measure("Redis", { ...variables, REDIS_URL: redis.url });
}

try {
  await model.start();
  atEnd(() => model.close());
  const { variables } = await openPostgres();
  const lines = [
    ...(await measure("polling", { ...variables, DATABASE_WAKE_UPS: "false" })),
    ...(await measure("wake-ups", variables)),
    ...(await measureRedis(variables)),
  ];
  process.stdout.write(
    `| ${values.turns} turns, a piece every ${values["every-ms"]} ms; ms | p50 | p90 | p99 | most |
|---|---:|---:|---:|---:|
${lines.join("\n")}
`,
  );
} finally {
  await cleanUp();
}
