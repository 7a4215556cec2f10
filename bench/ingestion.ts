/**
 * Turns beside the reading of a 500-page PDF, and uploads of 20 MiB of text, on the embedded database and on
 * Postgres: `npm run bench:ingestion`.
 */
import { randomUUID } from "node:crypto";
import { Agent, request, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { text as readText } from "node:stream/consumers";
import { z } from "zod";
import { makePdf } from "../test/support/documents/make-pdf.ts";
import { cleanUp } from "./clean-up.ts";
import { toPrompt } from "./load/script.ts";
import { openPostgres } from "./peers/databases.ts";
import { startForeword, type RunningServer } from "./peers/foreword.ts";
import { onAnyProcessor } from "./peers/processors.ts";
import { startUpstream } from "./scenarios/context.ts";
import { Delays, meterOptions } from "./load/loop-delays.ts";
import { createRandom } from "./seed/seed-text.ts";

const { values } = parseArgs({
  options: {
    pages: { type: "string", default: "500" },
    turns: { type: "string", default: "150" },
    databases: { type: "string", default: "pglite,postgres" },
  },
});
/** How much longer the first byte of a turn may take beside an ingestion, in milliseconds. */
const mostMs = 100;
const linesOfPage = 45;
const wordsOfLine = 13;
const pauseMs = 40;
const textBytes = 20 * 2 ** 20;
const prompt = toPrompt({ deltas: 20, sizeChars: 0, paceMs: 0, eventsPerWrite: 16, firstDelayMs: 5 });
const random = createRandom(19);
const letters = ["bcdfghklmnprstvw", "aeiou", "lnrst "];
const vocabulary = Array.from({ length: 20_000 }, (_, index) =>
  Array.from({ length: 2 + Math.floor(Math.log10(index + 1)) }, () =>
    letters
      .map((some) => some[Math.floor(random() * some.length)] ?? "")
      .join("")
      .trim(),
  ).join(""),
);

const Document = z.object({ id: z.string(), state: z.string(), passages: z.number() });
type Document = z.infer<typeof Document>;

/** Words as frequent as in a language: the second half as often as the first, and so on. */
function toWords(count: number): string {
  return Array.from(
    { length: count },
    () => vocabulary[Math.floor(vocabulary.length ** random()) - 1] ?? "a",
  ).join(" ");
}

function makeBook(pages: number): Buffer {
  return makePdf(
    Array.from({ length: pages }, () =>
      Array.from({ length: linesOfPage }, (_, line) => ({
        text: toWords(wordsOfLine),
        x: 50,
        y: 750 - line * 15,
        size: 10,
      })),
    ),
  );
}

/** A client of a server, as one user. */
class Client {
  readonly #server: RunningServer;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #userId = randomUUID();

  constructor(server: RunningServer) {
    this.#server = server;
  }

  /** Runs a turn; resolves with the milliseconds until its first byte. */
  async turn(): Promise<number> {
    const startMs = performance.now();
    const body = { messages: [{ sender: "user", text: prompt }], userId: this.#userId };
    const response = await this.#send("POST", "/stream-chat", JSON.stringify(body), "application/json");
    await once(response, "readable");
    const firstMs = performance.now() - startMs;
    await readText(response);
    if (response.statusCode !== 200) throw new Error(`a turn failed: ${response.statusCode}`);
    return firstMs;
  }

  async add(bytes: Buffer): Promise<Document> {
    const path = `/knowledge-bases/bench/documents?userId=${this.#userId}`;
    return await this.#read(await this.#send("POST", path, bytes, "text/plain"));
  }

  async get(id: string): Promise<Document> {
    return await this.#read(await this.#send("GET", `/documents/${id}?userId=${this.#userId}`));
  }

  async #read(response: IncomingMessage): Promise<Document> {
    return Document.parse(JSON.parse(await readText(response)));
  }

  async #send(method: string, path: string, body?: string | Buffer, type?: string): Promise<IncomingMessage> {
    const headers = type === undefined ? {} : { "content-type": type };
    const sent = request(this.#server.url + path, { method, agent: this.#agent, headers }).end(body);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    sent.once("response", resolve).once("error", reject);
    return await promise;
  }
}

/** Runs turns one after another until `isOver`; resolves with their first bytes in milliseconds. */
async function runTurns(client: Client, isOver: (count: number) => boolean): Promise<readonly number[]> {
  const times: number[] = [];
  while (!isOver(times.length)) {
    times.push(await client.turn());
    await setTimeout(pauseMs);
  }
  return times;
}

function toFigures(times: readonly number[]): {
  readonly p50: number;
  readonly longest: number;
  readonly text: string;
} {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  const [p50, p95, longest] = [at(0.5), at(0.95), at(1)];
  const text = `p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms, longest ${longest.toFixed(0)} ms of ${times.length}`;
  return { p50, longest, text };
}

async function untilRead(client: Client, id: string): Promise<Document> {
  for (;;) {
    const document = await client.get(id);
    if (document.state !== "waiting") return document;
    await setTimeout(250);
  }
}

async function measureTurns(name: string, server: RunningServer, book: Buffer): Promise<void> {
  const client = new Client(server);
  await runTurns(client, (count) => count >= 30);
  const without = toFigures(await runTurns(client, (count) => count >= Number(values.turns)));
  const startMs = performance.now();
  const { id } = await client.add(book);
  let read: Document | undefined;
  const reading = untilRead(client, id).then((document) => (read = document));
  const beside = toFigures(await runTurns(client, () => read !== undefined));
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  const { state, passages } = await reading;
  const longer = beside.longest - without.p50;
  console.log(`${name}: first bytes without an ingestion: ${without.text}`);
  console.log(
    `${name}: first bytes beside ${values.pages} pages (${state}, ${passages} passages, ${seconds} s): ${beside.text}`,
  );
  console.log(
    `figure: ${name}: ${longer.toFixed(0)} ms longer than usual at most (≤ ${mostMs}) ${longer <= mostMs ? "✓" : "✗"}`,
  );
}

async function measureUpload(name: string, server: RunningServer): Promise<void> {
  const client = new Client(server);
  for (const [kind, word] of [
    ["English", toWords(2_000)],
    ["Chinese", "工资在每月二十五日发放。".repeat(200)],
  ] as const) {
    const unit = `${word}\n`;
    const bytes = Buffer.from(unit.repeat(Math.floor(textBytes / Buffer.byteLength(unit))));
    await server.program.tell(Delays, "reset");
    const startMs = performance.now();
    await client.add(bytes);
    const uploadMs = performance.now() - startMs;
    const upload = await server.program.tell(Delays, "delays");
    await server.program.tell(Delays, "reset");
    await setTimeout(5_000);
    const reading = await server.program.tell(Delays, "delays");
    console.log(
      `figure: ${name}: 20 MiB of ${kind} sent in ${uploadMs.toFixed(0)} ms: longest loop delay ${upload.longestMs.toFixed(0)} ms; while it is read ${reading.longestMs.toFixed(0)} ms`,
    );
  }
}

try {
  const upstream = await startUpstream();
  const book = makeBook(Number(values.pages));
  console.log(`a book of ${values.pages} pages, ${(book.length / 2 ** 20).toFixed(1)} MiB`);
  for (const name of values.databases.split(",")) {
    const variables = name === "postgres" ? (await openPostgres()).variables : undefined;
    const server = await startForeword({
      upstreamUrl: upstream.url,
      prefix: onAnyProcessor,
      nodeOptions: meterOptions,
      variables,
    });
    await measureTurns(name, server, book);
    await measureUpload(name, server);
    await server.close();
  }
} finally {
  await cleanUp();
}
process.exit();
