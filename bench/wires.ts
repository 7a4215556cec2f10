/**
 * Measures the processor time a chunk on every wire, side by side: in each round all wires take a turn on one
 * server, whose rows are in Postgres; prints medians, and ratios to `/v1/chat/completions`.
 */
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { cleanUp } from "./clean-up.ts";
import { readProcessorTime } from "./load/process-usage.ts";
import { toPrompt } from "./load/script.ts";
import { readAnswer, toAnswer, wires, yardstick, type Wire } from "./load/wires.ts";
import { openPostgres } from "./peers/databases.ts";
import { startForeword } from "./peers/foreword.ts";
import { onPeerProcessor } from "./peers/processors.ts";
import { toMedian } from "./report/row.ts";
import { startUpstream } from "./scenarios/context.ts";
import { fast } from "./scenarios/stream-scenarios.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    seconds: { type: "string", default: "2" },
  },
});
const clients = 32;
const prompt = toPrompt(fast);
const answer = toAnswer(fast);

/** Posts one turn; resolves with its body. @throws Error for another status. */
async function post(url: string, { path, headers }: Wire, body: object): Promise<string> {
  const bytes = JSON.stringify(body);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const sent = request(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
  });
  sent.once("error", reject);
  sent.once("response", (response) => {
    void text(response).then((received) => {
      if (response.statusCode === 200) resolve(received);
      else reject(new Error(`${path}: ${response.statusCode} ${received.slice(0, 500)}`));
    }, reject);
  });
  sent.end(bytes);
  return await promise;
}

/** @throws Error if a wire did not carry the answer. */
function check(wire: Wire, body: string): void {
  const said = readAnswer(wire, body);
  if (said !== answer) throw new Error(`${wire.name} carried ${JSON.stringify(said.slice(0, 300))}`);
}

/** Runs turns for `seconds`; resolves with the server's processor time a chunk, in microseconds. */
async function measure(url: string, pid: number, wire: Wire, seconds: number): Promise<number> {
  check(wire, await post(url, wire, wire.toRequest(prompt)));
  const before = readProcessorTime(pid).allMs;
  const endMs = performance.now() + seconds * 1_000;
  let turns = 0;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < endMs) {
        await post(url, wire, wire.toRequest(prompt));
        turns += 1;
      }
    }),
  );
  return ((readProcessorTime(pid).allMs - before) * 1_000) / (turns * fast.deltas);
}

try {
  const upstream = await startUpstream();
  const { variables } = await openPostgres();
  const server = await startForeword({ upstreamUrl: upstream.url, prefix: onPeerProcessor, variables });
  const { pid } = server.program;
  for (const wire of wires) await measure(server.url, pid, wire, 4); // warm-up
  const figures = new Map<string, number[]>(wires.map(({ name }) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round += 1)
    for (const wire of round % 2 === 0 ? wires : wires.toReversed())
      figures.get(wire.name)?.push(await measure(server.url, pid, wire, Number(values.seconds)));
  const base = figures.get(yardstick) ?? [];
  const lines = Array.from(figures, ([name, list]) => {
    const ratio = toMedian(list.map((figure, round) => figure / (base[round] ?? NaN)));
    return `| ${name} | ${toMedian(list)?.toFixed(2)} | ${ratio?.toFixed(2)} |`;
  });
  process.stdout.write(
    `| ${values.rounds} rounds of ${values.seconds} s, ${clients} clients | CPU µs a chunk | median of ratios to ${yardstick} |
|---|---:|---:|
${lines.join("\n")}
`,
  );
} finally {
  await cleanUp();
}
