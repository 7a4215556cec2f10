/**
 * The `fetch` of a server over HTTP: bounds each message, ends the response of a call that is cancelled, and
 * puts an error in the place of a response that is too large or cut off. The library would wait for it.
 */
import type { FetchLike } from "@modelcontextprotocol/client";
import { z } from "zod";
import { cutCode, maxMessageBytes, toErrorResponse, tooLargeCode } from "./message-limits.ts";
import { SseMeter } from "./sse-meter.ts";

/** How much of the body of a refusal is read. */
const maxRefusalBytes = 64 * 1024;
const cutMessage = "the connection was cut off";
const largeMessage = "the message is too large";

type RequestId = string | number;

const Outgoing = z.object({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string().optional(),
  params: z.object({ requestId: z.union([z.string(), z.number()]).optional() }).optional(),
});

/** A request that is not over. */
interface Running {
  /** Aborted if it is cancelled, or its connection closed. */
  readonly signal: AbortSignal;
  /** Called once it is over; later calls have no effect. */
  readonly settle: () => void;
}

/** Told of failures that the library does not report, or retries for ever. */
export interface FetchEvents {
  /** The server does not know the session. */
  sessionLost(): void;
}

/** A `fetch`, for one connection. */
export class BoundedFetch {
  readonly #events: FetchEvents;
  /** Ends the response to each request that still runs. */
  readonly #running = new Map<RequestId, () => void>();

  constructor(events: FetchEvents) {
    this.#events = events;
  }

  readonly fetch: FetchLike = async (url, init) => {
    const { id, cancels } = parseOutgoing(init?.body);
    const stopping = new AbortController();
    const stop = (): void => stopping.abort();
    const { signal } = stopping;
    init?.signal?.addEventListener("abort", stop);
    if (init?.signal?.aborted === true) stop();
    if (id !== undefined) this.#running.set(id, stop);
    const settle = (): void => {
      init?.signal?.removeEventListener("abort", stop);
      if (id !== undefined) this.#running.delete(id);
    };
    try {
      const response = await fetch(url, { ...init, signal });
      if (cancels !== undefined) this.#running.get(cancels)?.();
      const isOfSession = new Headers(init?.headers).has("mcp-session-id") && init?.method !== "DELETE";
      return await this.#bound(response, id, isOfSession, { signal, settle });
    } catch (error) {
      settle();
      throw error;
    }
  };

  async #bound(
    response: Response,
    id: RequestId | undefined,
    isOfSession: boolean,
    running: Running,
  ): Promise<Response> {
    const { settle } = running;
    const { body } = response;
    if (body === null || !response.ok) {
      settle();
      const text = body === null ? "" : (await readText(body, maxRefusalBytes)).text;
      if (isOfSession && isUnknownSession(response.status, text)) this.#events.sessionLost();
      return body === null ? response : replaceBody(response, text);
    }
    if (/^text\/event-stream\b/i.test(response.headers.get("content-type") ?? ""))
      return replaceBody(response, boundEvents(body, id, running));
    const { text, end } = await readText(body, maxMessageBytes);
    settle();
    if (end === "complete" || id === undefined) return replaceBody(response, text);
    return replaceBody(
      response,
      end === "large"
        ? toErrorResponse(id, tooLargeCode, largeMessage)
        : toErrorResponse(id, cutCode, cutMessage),
    );
  }
}

/** Servers should respond with 404 to an unknown session; some respond with 400. */
function isUnknownSession(status: number, text: string): boolean {
  return status === 404 || (status === 400 && /session/i.test(text));
}

function parseOutgoing(body: unknown): {
  readonly id: RequestId | undefined;
  readonly cancels: RequestId | undefined;
} {
  if (typeof body !== "string") return { id: undefined, cancels: undefined };
  const { data } = Outgoing.safeParse(JSON.parse(body));
  const cancels = data?.method === "notifications/cancelled" ? data.params?.requestId : undefined;
  // Without a method it is a response of ours, which none follows.
  return { id: data?.method === undefined ? undefined : data.id, cancels };
}

function replaceBody(
  { status, statusText, headers }: Response,
  body: string | ReadableStream<Uint8Array>,
): Response {
  return new Response([204, 205, 304].includes(status) ? null : body, { status, statusText, headers });
}

async function readText(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<{ readonly text: string; readonly end: "complete" | "large" | "cut" }> {
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  const toText = (): string => Buffer.concat(chunks).toString();
  try {
    for await (const chunk of body) {
      byteCount += chunk.length;
      if (byteCount > maxBytes) return { text: toText(), end: "large" }; // which cancels the rest
      chunks.push(chunk);
    }
    return { text: toText(), end: "complete" };
  } catch {
    return { text: toText(), end: "cut" };
  }
}

/**
 * Returns `body` with each event bounded. If it ends early, and cannot be resumed, an error response to `id`
 * is its last event; a library that had its response ignores it.
 */
function boundEvents(
  body: ReadableStream<Uint8Array>,
  id: RequestId | undefined,
  { signal, settle }: Running,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const meter = new SseMeter();
  const toEvent = (code: number, message: string): Uint8Array =>
    Buffer.from(`\n\ndata: ${toErrorResponse(id ?? "", code, message)}\n\n`);
  return new ReadableStream({
    async pull(controller) {
      const finish = (last?: Uint8Array): void => {
        settle();
        if (last !== undefined) controller.enqueue(last);
        controller.close();
      };
      try {
        const { done, value } = await reader.read();
        if (done) return finish(id === undefined || meter.hasIds ? undefined : toEvent(cutCode, cutMessage));
        meter.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
        if (meter.eventBytes <= maxMessageBytes) return controller.enqueue(value);
        void reader.cancel().catch(() => {});
        if (id !== undefined) return finish(toEvent(tooLargeCode, largeMessage));
        settle();
        controller.error(new Error(largeMessage));
      } catch (error) {
        if (id !== undefined && (signal.aborted || !meter.hasIds))
          return finish(toEvent(cutCode, cutMessage));
        settle();
        controller.error(error);
      }
    },
    async cancel(reason) {
      settle();
      await reader.cancel(reason);
    },
  });
}
