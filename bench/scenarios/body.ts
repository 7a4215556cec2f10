/** Scenario: turns with bodies of 20 MiB; how long one holds the event loop, and the memory of five. */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { runRounds, type Context } from "./context.ts";
import { Delays, meterOptions } from "../load/loop-delays.ts";
import { readPeakKib, readResidentKib, resetPeak } from "../load/process-usage.ts";
import { runLoad } from "../load/run-load.ts";
import { toPrompt } from "../load/script.ts";
import { startPeer, toBodyKind, type PeerName } from "../peers/peers.ts";
import { onAnyProcessor } from "../peers/processors.ts";
import { onBoth, toTargets } from "../report/limits.ts";
import { toFigure, type Row } from "../report/row.ts";
import { postBytes, shortScript } from "./post-turn.ts";
import { toWarmUp } from "./stream-scenarios.ts";

const mebibyte = 2 ** 20;
/** How long work that goes on after the reply is counted, such as storing the rest. */
const afterMs = 500;
/** Bodies at once for the memory: fewer than `LIMIT_BODIES_MIB` holds. */
const bodiesAtOnce = 5;
const pngHead = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");

const figures = ["longest loop delay, ms", "memory beside the body, MiB", "whole ms"] as const;
type Figure = (typeof figures)[number];
type Cost = Readonly<Record<Figure, number>>;
const limits = [...onBoth("longest loop delay, ms", 50), ...onBoth("memory beside the body, MiB", 25)];

const prompt = { sender: "user", text: toPrompt(shortScript) };
const words = "as long as most messages of a talk are, with some naïve “quoted” words; ";

/** Bodies of about `sizeBytes`, by what fills them. */
const bodies: Readonly<Record<string, (sizeBytes: number) => object>> = {
  "a chat of long messages": (sizeBytes) => {
    const text = words.repeat(Math.floor(100_000 / words.length));
    const count = Math.floor(sizeBytes / (Buffer.byteLength(text) + 40));
    const earlier = Array.from({ length: count - (count % 2) }, (_, index) => ({
      sender: index % 2 === 0 ? "user" : "assistant",
      text: `${index} ${text}`,
    }));
    return { messages: [...earlier, prompt] };
  },
  "an image": (sizeBytes) => {
    const bytes = randomBytes(Math.floor((sizeBytes - 1000) / 4) * 3);
    pngHead.copy(bytes);
    const image = { inlineData: { mimeType: "image/png", data: bytes.toString("base64") } };
    return { messages: [{ ...prompt, images: [image] }] };
  },
};

async function measure(context: Context, peer: PeerName, bytes: Buffer): Promise<Cost> {
  const server = await startPeer(peer, {
    upstreamUrl: context.upstreamUrl,
    prefix: onAnyProcessor,
    nodeOptions: meterOptions,
    against: context.against,
  });
  const { program, url } = server;
  const kind = toBodyKind(peer);
  await runLoad({ url, kind, ...toWarmUp(context, ["memory growth, MiB"]) }, program.pid);
  const beforeKib = readResidentKib(program.pid);
  await program.tell(Delays, "reset");
  const wholeMs = await postBytes(url, bytes, kind);
  await delay(context.isSmoke ? 0 : afterMs);
  const { longestMs } = await program.tell(Delays, "delays");
  resetPeak(program.pid);
  await Promise.all(Array.from({ length: bodiesAtOnce }, () => postBytes(url, bytes, kind)));
  const growthMib = (readPeakKib(program.pid) - beforeKib) / 1024 / bodiesAtOnce;
  await server.close();
  return {
    "longest loop delay, ms": longestMs,
    "memory beside the body, MiB": growthMib - bytes.length / mebibyte,
    "whole ms": wholeMs,
  };
}

/** Runs it; resolves with its rows. A checkout that does not know images is measured without them. */
export async function runBody(context: Context): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [name, make] of Object.entries(bodies)) {
    // A body of exactly 20 MiB would exceed the limit of the request.
    const bytes = Buffer.from(JSON.stringify(make((context.isSmoke ? 0.2 : 19.9) * mebibyte)));
    const rounds = await runRounds(context, `body of ${name}`, async (peer) => {
      const result = await measure(context, peer, bytes);
      return { result, told: figures.map((figure) => `${figure} ${toFigure(result[figure])}`).join(" · ") };
    });
    for (const figure of figures) {
      const samples: Row["samples"] = Object.fromEntries(
        Array.from(rounds, ([peer, list]) => [peer, list.map((cost) => cost[figure])]),
      );
      const targets = toTargets(limits, figure, samples);
      rows.push({ scenario: "body", figure: `${figure} (${name})`, samples, targets });
    }
  }
  return rows;
}
