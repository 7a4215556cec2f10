/**
 * One request to the server and its response: URL, headers, and the silence that counts as a lost connection.
 */
import type { StreamEvent, TitleEvent } from "../../../src/wires/foreword/event-stream.ts";
import { abortable } from "./abortable.ts";
import { EventSourceReader } from "./event-source-reader.ts";
import { ForewordError, toHttpError } from "./foreword-error.ts";

/** The slowest upload to wait for, in bytes per millisecond. */
const minUploadBytesPerMs = 64;

/** How long a title can follow the end of a turn, in milliseconds: the server waits for 3,000. */
const titleMs = 5_000;

/** The longest delay of a timer, in milliseconds. */
const maxTimerMs = 2 ** 31 - 1;

/** An event of a stream. */
export type SentEvent = StreamEvent | TitleEvent;

/** Every event type. A newer server may send others, which are skipped. */
const eventTypes: Readonly<Record<SentEvent["type"], true>> = {
  "turn-start": true,
  "plan-delta": true,
  "plan-end": true,
  "answer-delta": true,
  "reasoning-delta": true,
  "tool-call-start": true,
  "tool-call-delta": true,
  "tool-call": true,
  "tool-result": true,
  "approval-request": true,
  "approval-response": true,
  search: true,
  source: true,
  "turn-waiting": true,
  "turn-error": true,
  "turn-end": true,
  title: true,
};

/** The server, as the client's options describe it. */
export interface Server {
  readonly baseUrl: URL;
  readonly userId: string | undefined;
  readonly headers: () => Readonly<Record<string, string>> | PromiseLike<Readonly<Record<string, string>>>;
  readonly fetch: typeof globalThis.fetch;
  readonly silenceMs: number;
}

/** A request. */
export interface ServerRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Relative to the server's base URL. */
  readonly path: string;
  /** Parameters; those without a value are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | null | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON, or a file with its own type. */
  readonly body?: string | Blob;
}

/** A whole response. */
export interface WholeResponse {
  /** Of the response's type. */
  readonly body: Blob;
  readonly status: number;
}

/**
 * Resolves with a whole response of `type` (`""`: any), over one connection.
 * @throws ForewordError, or the reason of `signal`.
 */
export async function fetchWhole(
  server: Server,
  request: ServerRequest,
  type: string,
  signal: AbortSignal | undefined,
): Promise<WholeResponse> {
  const watch = new Watch(server.silenceMs, signal);
  try {
    const { body, headers, status } = await open(server, request, type, watch);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for await (const bytes of readBytes(body, watch)) parts.push(bytes);
    return { body: new Blob(parts, { type: headers.get("content-type") ?? "" }), status };
  } finally {
    watch.close();
  }
}

/**
 * Yields a turn's events as they arrive over one connection, which closes with the generator. Returns when
 * the body ends, whatever came before that.
 * @throws ForewordError, or the reason of `signal`.
 */
export async function* fetchEvents(
  server: Server,
  request: ServerRequest,
  signal: AbortSignal | undefined,
): AsyncGenerator<SentEvent, void, undefined> {
  const watch = new Watch(server.silenceMs, signal);
  try {
    // With a second type the server can report an error: an EventSource, which names one type, gets none.
    const { body, status } = await open(
      server,
      request,
      "text/event-stream",
      watch,
      ", application/problem+json",
    );
    const parser = new EventSourceReader();
    for await (const bytes of readBytes(body, watch))
      for (const { event, data } of orInvalid(() => parser.push(bytes), status)) {
        if (event === "turn-end") watch.silenceMs = Math.min(watch.silenceMs, titleMs);
        if (Object.hasOwn(eventTypes, event)) yield orInvalid(() => toSentEvent(event, data), status);
      }
  } finally {
    watch.close();
  }
}

/** Yields a body as it arrives. */
async function* readBytes(
  body: Response["body"],
  watch: Watch,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const reader = body?.getReader();
  for (;;) {
    const bytes = (await watch.over(async () => reader?.read()))?.value;
    if (bytes === undefined) return;
    yield bytes;
  }
}

/** Resolves with a successful response of `type`. */
async function open(
  server: Server,
  request: ServerRequest,
  type: string,
  watch: Watch,
  alternative = "",
): Promise<Response> {
  const { method, body = null } = request;
  const { fetch } = server; // called on its own: a browser's does not accept another `this`
  const headers = new Headers(await abortable(server.headers(), watch.signal));
  for (const [name, value] of Object.entries(request.headers ?? {})) headers.set(name, value);
  headers.set("accept", (type || "*/*") + alternative);
  if (typeof body === "string") headers.set("content-type", "application/json");
  const url = toUrl(server, request);
  return await watch.over(
    async () => {
      const response = await fetch(url, { method, headers, body, signal: watch.signal });
      const { status, ok } = response;
      if (!ok) throw await toHttpError(response);
      if (!(response.headers.get("content-type") ?? "").startsWith(type))
        throw new ForewordError(
          "invalid_response",
          `the response is not ${type}: check that baseUrl is a Foreword server`,
          {
            status,
          },
        );
      return response;
    },
    (typeof body === "string" ? body.length : (body?.size ?? 0)) / minUploadBytesPerMs,
  );
}

/** Returns the path of a turn. */
export function toTurnPath(turnId: string): string {
  return `/turns/${encodeURIComponent(turnId)}`;
}

function toUrl({ baseUrl }: Server, { path, query = {} }: ServerRequest): string {
  const url = new URL(baseUrl);
  url.pathname = url.pathname.replace(/\/+$/, "") + path;
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
  return url.href;
}

function toSentEvent(type: string, data: string): SentEvent {
  const event: SentEvent | null = JSON.parse(data);
  if (event?.type !== type) throw new TypeError(`the data is not a ${type}`);
  return event;
}

/**
 * Returns a response parsed by `parse`, which trusts the promised shape.
 * @throws ForewordError `invalid_response`.
 */
export function orInvalid<Value>(parse: () => Value, status: number): Value {
  try {
    return parse();
  } catch (cause) {
    throw new ForewordError("invalid_response", "the response cannot be read", { cause, status });
  }
}

/** Ends one request: when its user aborts it, after a silence, or when it is done. */
class Watch {
  readonly #controller = new AbortController();
  /** How long a step may take, in milliseconds. */
  silenceMs: number;
  readonly #userSignal: AbortSignal | undefined;
  readonly #abort = (): void => this.#controller.abort(this.#userSignal?.reason);

  constructor(silenceMs: number, userSignal: AbortSignal | undefined) {
    this.silenceMs = silenceMs;
    this.#userSignal = userSignal;
    userSignal?.addEventListener("abort", this.#abort);
    if (userSignal?.aborted === true) this.#abort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Settles as `step` does, which may take the time of a silence and `moreMs`.
   * @throws ForewordError `connection_lost` for any other error of `step`; the reason of the user's signal.
   */
  async over<Value>(step: () => Promise<Value>, moreMs = 0): Promise<Value> {
    const silence = new Error("nothing came for too long");
    const timer = setTimeout(
      () => this.#controller.abort(silence),
      Math.min(maxTimerMs, this.silenceMs + moreMs),
    );
    try {
      return await step();
    } catch (cause) {
      this.#userSignal?.throwIfAborted();
      if (cause instanceof ForewordError) throw cause;
      throw new ForewordError("connection_lost", "the connection to the server was lost", { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes the connection, if it is still open. */
  close(): void {
    this.#userSignal?.removeEventListener("abort", this.#abort);
    this.#controller.abort();
  }
}
