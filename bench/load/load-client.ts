/** A client of the load generator: a raw socket that sends a prepared request and checks the response. */
import { randomUUID } from "node:crypto";
import { connect, type Socket } from "node:net";
import { ResponseReader } from "./response-reader.ts";
import type { Tally } from "./tally.ts";

/** Server, prompt and expected response of a client. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly prompt: string;
  readonly expected: Buffer;
}

/** Requests one stream after another, on one connection for as long as it stays open. */
export class LoadClient {
  readonly #target: Target;
  readonly #tally: Tally;
  readonly #request: Buffer;
  /** Called at the end of each stream, successful or not. */
  readonly #onOver: () => void;
  /** Whether it stops reading after the first bytes. */
  readonly #stalls: boolean;
  #socket: Socket | undefined;
  #reader: ResponseReader | undefined;
  #askedMs = 0;
  #lastMs = 0;

  constructor(target: Target, tally: Tally, onOver: () => void, stalls = false) {
    this.#target = target;
    this.#tally = tally;
    this.#onOver = onOver;
    this.#stalls = stalls;
    // A user of its own, so that the rows of others add nothing to the cost of its turns.
    const body = JSON.stringify({
      messages: [{ sender: "user", text: target.prompt }],
      userId: randomUUID(),
    });
    const head = [
      `POST ${target.path}/stream-chat HTTP/1.1`,
      `host: ${target.host}:${target.port}`,
      "content-type: application/json",
      "accept: text/plain",
      `content-length: ${Buffer.byteLength(body)}`,
    ];
    this.#request = Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
  }

  ask(): void {
    this.#reader = new ResponseReader(this.#target.expected);
    this.#lastMs = 0;
    const socket = this.#socket ?? this.#connect();
    this.#askedMs = performance.now();
    socket.write(this.#request);
  }

  /** Disconnects, even in the middle of a stream. */
  leave(): void {
    this.#socket?.destroy();
    this.#settle();
  }

  #connect(): Socket {
    const { host, port } = this.#target;
    const socket = connect({ host, port, noDelay: true });
    socket.on("data", (bytes: Buffer) => this.#take(bytes, socket));
    socket.on("error", () => {}); // followed by a close event
    socket.on("close", () => {
      if (this.#socket === socket) this.#socket = undefined;
      this.#settle();
    });
    this.#socket = socket;
    return socket;
  }

  #take(bytes: Buffer, socket: Socket): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    const before = reader.position;
    reader.push(bytes);
    if (reader.position > before) this.#time();
    if (reader.refusal !== undefined) return void socket.destroy();
    if (reader.isDone && reader.isLast) socket.destroy();
    else if (reader.isDone) this.#settle();
    else if (this.#stalls && reader.position > 0) socket.pause();
  }

  #time(): void {
    const nowMs = performance.now();
    if (this.#lastMs === 0) this.#tally.addFirstByte(nowMs - this.#askedMs);
    else this.#tally.addGap(nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }

  #settle(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    this.#reader = undefined;
    // A stream that is cut before its first byte has waited at least so long for it.
    if (this.#lastMs === 0 && !reader.isDone && reader.refusal === undefined) this.#time();
    this.#tally.addStream(reader);
    this.#onOver();
  }
}
