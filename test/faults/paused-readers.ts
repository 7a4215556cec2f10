/**
 * A program that measures a real server with many turns of 2 MiB, readers of them that read nothing, and a
 * healthy stream. Prints its figures as JSON. Arguments: `turns` or `readers`, and how many of them are
 * paused.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { listen } from "../support/network/local-port.ts";
import { toChunk, toEvent } from "../support/model/scripted-model.ts";

/** The figures of a measurement. */
export const Measurement = z.object({
  /** Memory of the server after all text has arrived and garbage was collected. */
  rssBytes: z.number(),
  /** The average unread bytes of a reader, in its socket and the server's. */
  kernelBytes: z.number(),
  /**
   * The 99th percentile of the gaps between chunks of the healthy stream, one of which is due every 5 ms:
   * while more big turns are read, and beside the stuck readers.
   */
  gapP99Ms: z.number(),
});
export type Measurement = z.infer<typeof Measurement>;

const serverMain = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
/** Collects garbage on a signal. */
const collector = `data:text/javascript,process.on("SIGUSR2",()=>gc())`;
const tickMs = 5;
const pieceBytes = 16 * 1024;
/** A little less than the largest reply. */
const pieces = 127;
const bigText = Buffer.from(toEvent(toChunk({ content: "x".repeat(pieceBytes) })));
const parallel = 10;

const agent = new Agent({ keepAlive: false, maxSockets: Infinity });

/**
 * Replies to a turn: with the big text at once, or to the healthy one with a few bytes every few
 * milliseconds.
 */
async function answer(question: string, response: ServerResponse): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(toEvent(toChunk({ content: "- a\n---RESPONSE---\n" })));
  if (question === "healthy") {
    const timer = setInterval(() => response.write(toEvent(toChunk({ content: "drop " }))), tickMs);
    response.once("close", () => clearInterval(timer));
    return;
  }
  for (let sent = 0; sent < pieces; sent += 1) if (!response.write(bigText)) await once(response, "drain");
  taken.resolve();
}

/** Resolves, repeatedly, when the server has read all of a big text. */
const taken = {
  count: 0,
  wanted: 0,
  done: Promise.withResolvers<void>(),
  resolve(): void {
    this.count += 1;
    if (this.count >= this.wanted) this.done.resolve();
  },
  async reach(count: number): Promise<void> {
    this.wanted = count;
    this.done = Promise.withResolvers();
    if (this.count < count) await this.done.promise;
  },
};

const Body = z.object({ messages: z.array(z.object({ content: z.string() })) });

const model = createServer((incoming, response) => {
  const chunks: Buffer[] = [];
  incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
  incoming.on("end", () => {
    if (incoming.method === "GET") return void response.end(JSON.stringify({ object: "list", data: [] }));
    const { messages } = Body.parse(JSON.parse(Buffer.concat(chunks).toString()));
    void answer(messages.at(-1)?.content ?? "", response);
  });
});

async function open(url: string, body?: object): Promise<IncomingMessage> {
  const headers = { "content-type": "application/json" };
  const sent = request(url, { method: body === undefined ? "GET" : "POST", agent, headers });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = await once(sent, "response");
  return response;
}

function chat(url: string, text: string): Promise<IncomingMessage> {
  return open(`${url}/stream-chat`, { messages: [{ sender: "user", text }] });
}

/** Resolves with a process's memory in bytes, after it has collected its garbage. */
async function readRss(pid: number, url: string): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    process.kill(pid, "SIGUSR2");
    (await open(`${url}/healthz`)).resume();
  }
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}

/** Returns the bytes queued in all sockets of this machine, or network namespace. */
function readKernelBytes(): number {
  const lines = readFileSync("/proc/net/tcp", "utf8").trim().split("\n").slice(1);
  return lines
    .flatMap((line) => (line.trim().split(/\s+/)[4] ?? "").split(":"))
    .reduce((sum, hex) => sum + Number.parseInt(hex, 16), 0);
}

/** Starts the server; resolves with its URL. */
async function startServer(): Promise<{ readonly pid: number; readonly url: string; stop(): Promise<void> }> {
  const port = await listen(model);
  const child = spawn(process.execPath, ["--expose-gc", "--import", collector, serverMain], {
    cwd: tmpdir(),
    env: {
      PATH: process.env["PATH"],
      PORT: "0",
      LOG_LEVEL: "silent",
      CHAT_STORE_ENABLED: "false",
      ON_DISCONNECT: "continue",
      OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`,
      OPENAI_MODEL: "scripted",
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  for await (const text of child.stderr.setEncoding("utf8")) {
    said += String(text);
    const [, url] = /listening +(http:\S+)\n/.exec(said) ?? [];
    if (url === undefined) continue;
    const stop = async (): Promise<void> => {
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    };
    return { pid: child.pid ?? 0, url, stop };
  }
  throw new Error(`the server does not start: ${said}`);
}

/** Requests `count` big turns, some at a time, and passes each unread response to `take`. */
async function askBig(url: string, count: number, take: (response: IncomingMessage) => void): Promise<void> {
  let asked = 0;
  const ask = async (): Promise<void> => {
    while (asked < count) {
      asked += 1;
      take(await chat(url, "big"));
    }
  };
  const before = taken.count;
  await Promise.all(Array.from({ length: parallel }, ask));
  await taken.reach(before + count);
}

async function measure(kind: string, count: number, isPaused: boolean): Promise<Measurement> {
  const server = await startServer();
  const { url } = server;
  const healthy = await chat(url, "healthy");
  const arrivals: number[] = [];
  healthy.on("data", () => arrivals.push(performance.now()));
  await once(healthy, "data");
  const paused: IncomingMessage[] = [];
  const pauseOrLeave = (response: IncomingMessage): void => {
    if (isPaused) paused.push(response);
    else response.destroy();
  };
  if (kind === "turns") await askBig(url, count, pauseOrLeave);
  else {
    await askBig(url, 1, (response) => void paused.push(response));
    const turnId = String(paused[0]?.headers["x-turn-id"]);
    for (let asked = 0; asked < count; asked += 1) pauseOrLeave(await open(`${url}/turns/${turnId}/stream`));
  }
  const kernelBytes = readKernelBytes() / count;
  const rssBytes = await readRss(server.pid, url);
  arrivals.length = 0;
  await askBig(url, parallel, (response) => void response.resume());
  while (arrivals.length < 400) await once(healthy, "data");
  const gaps = arrivals.slice(1).map((atMs, index) => atMs - (arrivals[index] ?? atMs));
  const gapP99Ms = gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length * 0.99)] ?? 0;
  await server.stop();
  return { rssBytes, kernelBytes, gapP99Ms };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , kind = "", count = "0", mode] = process.argv;
  process.stdout.write(JSON.stringify(await measure(kind, Number(count), mode === "paused")));
  process.exit();
}
