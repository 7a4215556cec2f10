/** An HTTP server whose responses a test scripts, like those of a gateway or of a stopping server. */
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Reply, StreamEvent } from "../../packages/foreword-client/src/client.ts";
import { closeServer, listen } from "../support/network/local-port.ts";

/** A received request, its body unread. */
interface ScriptedRequest {
  readonly line: string;
  readonly headers: IncomingMessage["headers"];
  readonly atMs: number;
}

/** Responds to one request. */
export type Respond = (response: ServerResponse) => void;

/** A scripted server. */
export class ScriptedServer {
  readonly requests: ScriptedRequest[] = [];
  /** The responses to the next requests, in order; the last one serves all others too. */
  answers: readonly Respond[] = [];
  url = "";
  readonly #came = new EventEmitter();
  readonly #server = createServer((request, response) => {
    const { method, url, headers } = request;
    const respond = this.answers[Math.min(this.requests.length, this.answers.length - 1)];
    this.requests.push({ line: `${method} ${url}`, headers, atMs: performance.now() });
    request.resume();
    respond?.(response);
    this.#came.emit("request");
  });

  /** Starts one; close it with {@link close}. */
  static async start(): Promise<ScriptedServer> {
    const server = new ScriptedServer();
    server.url = `http://127.0.0.1:${await listen(server.#server)}`;
    return server;
  }

  /** Forgets the requests so far, and responds by `answers` from now on. */
  expect(...answers: readonly Respond[]): void {
    this.requests.length = 0;
    this.answers = answers;
  }

  /** Resolves once `count` requests have arrived. */
  async received(count: number): Promise<void> {
    while (this.requests.length < count) await once(this.#came, "request");
  }

  async close(): Promise<void> {
    await closeServer(this.#server);
  }
}

/** Sends events, and the end of the body. */
export function say(...events: readonly StreamEvent[]): Respond {
  return (response) => void sayOnly(response, events).end();
}

/** Sends events, then breaks the connection. */
export function sayAndCutOff(...events: readonly StreamEvent[]): Respond {
  return (response) => void sayOnly(response, events).write("", () => response.destroy());
}

/** Sends events, and nothing more. */
export function sayAndHang(...events: readonly StreamEvent[]): Respond {
  return (response) => sayOnly(response, events).flushHeaders();
}

/** Breaks the connection. */
export const cutOff: Respond = (response) => void response.destroy();

/** Responds with an error. */
export function refuse(
  status: number,
  headers: Record<string, string> = {},
  body = "<h1>Bad Gateway</h1>",
): Respond {
  return (response) => void response.writeHead(status, headers).end(body);
}

/** Responds with one of Foreword's own errors. */
export function refuseAs(status: number, code: string, headers: Record<string, string> = {}): Respond {
  const body = JSON.stringify({ type: "about:blank", title: "x", status, code, detail: `It is ${code}.` });
  return refuse(status, { ...headers, "content-type": "application/problem+json; charset=utf-8" }, body);
}

/** Sends events; more can follow. */
export function sayOnly(response: ServerResponse, events: readonly StreamEvent[]): ServerResponse {
  if (!response.headersSent) response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  for (const event of events) response.write(toFrame(event));
  return response;
}

/** Returns an event as the server sends it. */
export function toFrame(event: StreamEvent): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** The start of a turn. */
export function start(turnId = "00000000-0000-4000-8000-000000000001", position = 0): StreamEvent {
  const startedAt = "2026-11-23T12:00:00.000Z";
  return { type: "turn-start", turnId, conversationId: null, model: "m", startedAt, position };
}

/** A piece of an answer that ends at `position`. */
export function answer(text: string, position: number): StreamEvent {
  return { type: "answer-delta", text, position };
}

/** The end of a turn. */
export function end(position: number, outcome: NonNullable<Reply["outcome"]> = "complete"): StreamEvent {
  return {
    type: "turn-end",
    outcome,
    position,
    finishReason: outcome === "complete" ? "stop" : null,
    usage: null,
    model: "m",
    timings: { durationMs: 1, firstTextMs: 1 },
    storage: "stored",
  };
}
