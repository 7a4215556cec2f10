/** The scripted upstream, a program: an OpenAI-compatible server with almost no cost per chunk. */
import { createServer, type Socket } from "node:net";
import { listenAndTell } from "../peers/peer-program.ts";
import { parsePrompt, toWrites, type Script } from "./script.ts";

/** A JSON string. */
const jsonString = /"(?:[^"\\]|\\.)*"/y;

/** How long before a first write is due the timer gives way to polling the clock, which is more exact. */
const spinMs = 2;

const head =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n" +
  "x-request-id: req_0f5b7a\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n";

/** A prepared script: each item is the bytes of one write. */
interface Reply {
  readonly script: Script;
  readonly frames: readonly Buffer[];
}

const replies = new Map<string, Reply>();

function toFrame(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

function findReply(prompt: string): Reply {
  const known = replies.get(prompt);
  if (known !== undefined) return known;
  const script = parsePrompt(prompt);
  const frames = toWrites(script).map(toFrame);
  frames[0] = head + (frames[0] ?? "");
  // The end of a reply comes with its last delta, as from a real server.
  frames.push(`${frames.splice(-2).join("")}0\r\n\r\n`);
  const reply = { script, frames: frames.map((frame) => Buffer.from(frame)) };
  replies.set(prompt, reply);
  return reply;
}

/** One reply on its way. */
class Sending {
  readonly #socket: Socket;
  readonly #reply: Reply;
  #next = 0;
  #dueMs: number;

  constructor(socket: Socket, reply: Reply) {
    this.#socket = socket;
    this.#reply = reply;
    this.#dueMs = performance.now() + reply.script.firstDelayMs;
  }

  start(): void {
    const { firstDelayMs } = this.#reply.script;
    if (firstDelayMs > 0) setTimeout(() => this.#spin(), firstDelayMs - spinMs);
    else this.#write();
  }

  #spin(): void {
    if (performance.now() >= this.#dueMs) this.#write();
    else setImmediate(() => this.#spin());
  }

  #write(): void {
    const { frames, script } = this.#reply;
    const frame = frames[this.#next];
    if (frame === undefined || this.#socket.destroyed) return;
    this.#next += 1;
    const isTaken = this.#socket.write(frame);
    if (script.paceMs > 0) {
      this.#dueMs += script.paceMs;
      setTimeout(() => this.#write(), this.#dueMs - performance.now());
    } else if (isTaken) setImmediate(() => this.#write());
    else this.#socket.once("drain", () => this.#write());
  }
}

/**
 * Returns the last message of a request without reading the others, so that a long history costs the upstream
 * nothing. It understands the load generator's chat too, which is used to measure the upstream alone.
 */
function findPrompt(body: string): string {
  const ends = ['"content":', '"text":'].map((key) => body.lastIndexOf(key) + key.length);
  jsonString.lastIndex = Math.max(...ends);
  const prompt: unknown = JSON.parse(jsonString.exec(body)?.[0] ?? '""');
  return String(prompt);
}

/** Reads requests from a connection, one after another. */
function serve(socket: Socket): void {
  socket.setNoDelay(true);
  socket.on("error", () => {}); // the peer has left: `destroyed` tells
  let pending: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const headEnd = pending.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const request = pending.toString("latin1", 0, headEnd);
    const length = Number(/^content-length: *(\d+)/im.exec(request)?.[1] ?? 0);
    const bodyStart = headEnd + 4;
    if (pending.length < bodyStart + length) return;
    const body = pending.toString("utf8", bodyStart, bodyStart + length);
    pending = pending.subarray(bodyStart + length);
    if (!request.startsWith("POST")) {
      socket.write(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 27\r\n\r\n" +
          '{"object":"list","data":[]}',
      );
      return;
    }
    new Sending(socket, findReply(findPrompt(body))).start();
  });
}

listenAndTell(createServer(serve), "");
