/** One request to an OpenAI-compatible server and its response: its timeouts, and which end is believed. */
import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import { AppError, toAppError } from "../base/errors.ts";
import { afterReading } from "../base/deadline.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { CallMeter, ModelSink, ToolCallPiece } from "../turn/ports.ts";
import { CompletionStream, type ToolCallReceiver } from "./stream/completion-stream.ts";
import type { OfferedTools } from "./stream/tool-calls.ts";
import { ContentDecoder, readContentEncoding } from "./content-decoder.ts";
import { toModelFailure } from "./model-failure.ts";
import type { OpenAiOptions } from "./settings.ts";
import { findBodyKind, toResponseHead, type BodyKind, type ResponseHead } from "./response-head.ts";

/** The longest wait for usage, or for the end of the body, once the reply is whole. */
const graceMs = 1_000;
/** How long comments may extend the wait for the first event: servers under load send nothing else. */
const maxHoldMs = 10 * 60 * 1_000;
/** How much is read of an error body, and of a completion in one piece. */
const maxErrorBytes = 64 * 1024;
const maxJsonBytes = 8 * 1024 * 1024;

/** The wait after the first event: for another event, for text after a finish reason, or for the end. */
type Awaited = "event" | "text" | "end";

/** Receives an attempt's reply, as a {@link ModelSink}. */
export interface AttemptSink extends Omit<ModelSink, "fail" | "restart" | "judge"> {
  /** Absent if the call is not measured. */
  readonly meter?: CallMeter | undefined;
  /** Returns the body of a server's refusal without the texts of its client that it quotes. */
  readonly toOwnWords: (body: string) => string;
  /** `body` is that of the server's refusal, if it has one, in its own words. */
  readonly fail: (error: AppError, body: string) => void;
}

/** One request and its response, as undici delivers it. */
export class OpenAiAttempt implements Dispatcher.DispatchHandler, ToolCallReceiver {
  readonly offered: OfferedTools | undefined;
  readonly #sink: AttemptSink;
  readonly #stream = new CompletionStream(this);
  readonly #options: OpenAiOptions;
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #leaveAfterMs: number | undefined;
  #firstEvent: Timer;
  #controller: Dispatcher.DispatchController | undefined;
  #awaited: Awaited | undefined;
  #timer: Timer | undefined;
  #head: ResponseHead | undefined;
  #decoder: ContentDecoder | undefined;
  /** Why the connection broke, while earlier bytes are still being decoded. */
  #connectionError: Error | undefined;
  #kind: BodyKind | undefined;
  /** The body so far, until it is known to be a stream. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #hasEnded = false; // the response
  #isOver = false;
  #isAborted = false;
  #hasTold = false;

  /** @param leaveAfterMs as in `CallOptions`. */
  constructor(
    options: OpenAiOptions,
    clock: Clock,
    sink: AttemptSink,
    offered?: OfferedTools,
    leaveAfterMs?: number,
  ) {
    this.offered = offered;
    this.#leaveAfterMs = leaveAfterMs;
    this.#options = options;
    this.#clock = clock;
    this.#sink = sink;
    this.#startedMs = clock.monotonicMs();
    this.#firstEvent = this.#awaitFirst(
      Math.min(options.firstByteTimeoutMs, leaveAfterMs ?? Number.POSITIVE_INFINITY),
    );
  }

  /** Whether the sink has received anything: from then on there is no other attempt. */
  get hasTold(): boolean {
    return this.#hasTold;
  }

  abort(): void {
    this.#close();
    this.#isAborted = true;
    this.#controller?.abort(new Error("the reply is not wanted any more"));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isAborted) controller.abort(new Error("the reply is not wanted any more"));
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200 || this.#isOver) return; // an interim response, like 103 Early Hints
    this.#head = toResponseHead(status, headers, this.#clock.now());
    const encoding = readContentEncoding(headers);
    if (encoding === "unknown" && status !== 200) {
      this.#failRefused(); // its status is enough, its body is unreadable
    } else if (encoding === "unknown") {
      const name = String(headers["content-encoding"]);
      this.#fail(new AppError("model_invalid_stream", `an encoding that was not asked for: ${name}`));
    } else if (encoding !== undefined) {
      this.#decoder = new ContentDecoder(encoding, {
        data: (chunk) => this.#take(chunk),
        end: () => this.#end(),
        fail: (error) => this.#cutOff(this.#connectionError ?? error),
      });
    }
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return;
    if (this.#decoder === undefined) this.#take(chunk);
    else this.#decoder.write(chunk);
  }

  onResponseEnd(): void {
    this.#hasEnded = true;
    if (this.#isOver) this.#timer?.cancel();
    else if (this.#decoder === undefined) this.#end();
    else this.#decoder.end();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#connectionError = error;
    this.#hasEnded = true;
    if (this.#isOver) this.#timer?.cancel();
    else if (this.#decoder === undefined) this.#cutOff(error);
    else this.#decoder.end();
  }

  #awaitFirst(delayMs: number): Timer {
    return afterReading(this.#clock, delayMs, () => {
      // The status alone makes a refusal; its body may never end.
      if (this.#head !== undefined && this.#head.status !== 200) return this.#failRefused();
      this.#fail(new AppError("model_silent", `no event within ${delayMs} ms`));
    });
  }

  #take(chunk: Buffer): void {
    if (this.#isOver) return;
    if (this.#kind === "events") return this.#readEvents(chunk);
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#head?.status === 200) this.#findKind();
    const maxBytes = this.#kind === "json" ? maxJsonBytes : maxErrorBytes;
    if (this.#heldBytes > maxBytes && !this.#isOver) this.#failRefused();
  }

  #findKind(): void {
    this.#kind ??= findBodyKind(this.#readHeld("latin1"), this.#head?.type ?? "");
    if (this.#kind !== "events") return this.#holdOff();
    const bytes = Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    this.#readEvents(bytes);
  }

  #readHeld(encoding: "latin1" | "utf8" = "utf8"): string {
    return Buffer.concat(this.#held).toString(encoding);
  }

  #readEvents(chunk: Buffer): void {
    const { events, pieces } = this.#stream;
    this.#read(() => this.#stream.push(chunk));
    if (this.#isOver) return;
    if (this.#stream.events === 0) this.#holdOff();
    else if (this.#stream.events !== events) this.#keepAlive(this.#stream.pieces !== pieces);
  }

  /** Bytes before the first event, like comments, show a live server: it gets more time, up to a limit. */
  #holdOff(): void {
    const { firstByteTimeoutMs } = this.#options;
    const leftMs = this.#startedMs + Math.max(maxHoldMs, firstByteTimeoutMs) - this.#clock.monotonicMs();
    if (leftMs <= 0 || this.#isOver || this.#leaveAfterMs !== undefined) return;
    this.#firstEvent.cancel();
    this.#firstEvent = this.#awaitFirst(Math.min(firstByteTimeoutMs, leftMs));
  }

  /**
   * An event came; comments no longer count from now on.
   * @param isPiece whether it held text or reasoning.
   */
  #keepAlive(isPiece: boolean): void {
    this.#firstEvent.cancel();
    const { isDone, hasUsage, isFinished, isSettled } = this.#stream;
    if (isDone && hasUsage) return this.#judge(false);
    if (isDone || isSettled) this.#await("end", false);
    else if (isFinished) this.#await("text", isPiece);
    else this.#await("event", true);
  }

  /** @param isRefreshed whether a wait that is already running starts again. */
  #await(awaited: Awaited, isRefreshed: boolean): void {
    if (this.#awaited === awaited) {
      if (isRefreshed) this.#timer?.refresh();
      return;
    }
    this.#awaited = awaited;
    this.#timer?.cancel();
    const { idleTimeoutMs } = this.#options;
    this.#timer = afterReading(this.#clock, awaited === "end" ? graceMs : idleTimeoutMs, () => {
      if (awaited !== "event") this.#judge(false);
      else this.#fail(new AppError("model_stalled", `no event for ${idleTimeoutMs} ms`));
    });
  }

  /** The body ended in good order. */
  #end(): void {
    if (this.#isOver) return;
    // A compressed body may end in good order although the connection broke.
    if (this.#connectionError !== undefined) return this.#cutOff(this.#connectionError);
    const isStream = this.#kind === "events" || this.#head?.type.startsWith("text/event-stream") === true;
    if (this.#head?.status === 200 && this.#kind === "json") return this.#endJson();
    if (this.#head?.status !== 200 || !isStream) return this.#failRefused();
    this.#read(() => this.#stream.finish(), true);
    this.#judge(true);
  }

  #endJson(): void {
    this.#read(() => this.#stream.takeJson(this.#readHeld()));
    if (this.#stream.isWhole(true)) this.#judge(true);
    else this.#failRefused();
  }

  /** The connection broke, or the body cannot be decoded any further. */
  #cutOff(error: Error): void {
    if (this.#isOver) return;
    if (this.#head !== undefined && this.#head.status !== 200) return this.#failRefused();
    if (this.#stream.isWhole(false)) return this.#judge(false);
    const isCut = this.#stream.events > 0 || this.#heldBytes > 0;
    const code = this.#connectionError === undefined && !isCut ? "model_invalid_stream" : "model_unavailable";
    this.#fail(new AppError(isCut ? "model_truncated" : code, error.message, { cause: error }));
  }

  /** @param isEnd whether the body is over: an unreadable event was then cut off. */
  #read(read: () => string, isEnd = false): void {
    try {
      this.#tell(read());
    } catch (cause) {
      this.#tell(this.#stream.flush());
      if (this.#stream.isFinished) return this.#judge(false);
      const error = toAppError(cause);
      const isCut = isEnd && error.code === "model_invalid_stream";
      this.#fail(isCut ? new AppError("model_truncated", error.message, { cause }) : error);
    }
  }

  #tell(text: string): void {
    const reasoning = this.#stream.takeReasoning();
    if (text !== "" || reasoning !== "") this.#sink.meter?.chunk();
    if (this.#isOver) return;
    if (reasoning !== "" && this.#sink.reasoning !== undefined) {
      this.#hasTold = true;
      this.#sink.reasoning(reasoning);
    }
    if (text === "") return;
    this.#hasTold = true;
    this.#sink.text(text);
  }

  /** Called while the stream is read; of the events before it, none has been told. */
  takeToolCall(piece: ToolCallPiece, textBefore: string): void {
    this.#tell(textBefore);
    if (this.#isOver) return;
    this.#hasTold = true;
    this.#sink.meter?.chunk();
    this.#sink.toolCall(piece);
  }

  /** The wait is over. @param isBodyWhole whether the body ended in good order. */
  #judge(isBodyWhole: boolean): void {
    if (this.#isOver) return;
    if (!this.#stream.isWhole(isBodyWhole))
      return this.#fail(new AppError("model_truncated", "the stream ended before the reply was whole"));
    this.#stream.endToolCalls();
    this.#tell(this.#stream.flush());
    this.#close();
    // The body should end now, which keeps the connection for reuse; otherwise it is closed.
    if (!this.#hasEnded) this.#timer = this.#clock.after(graceMs, () => this.abort());
    this.#sink.end(this.#stream.toEnd());
  }

  #failRefused(): void {
    const { status = 0, retryAfterMs } = this.#head ?? {};
    const body = this.#sink.toOwnWords(this.#readHeld().slice(0, maxErrorBytes));
    if (status !== 200) return this.#fail(toModelFailure(status, body, retryAfterMs), body);
    this.#fail(new AppError("model_invalid_stream", `not an event stream: ${body.slice(0, 100)}`));
  }

  #fail(error: AppError, body = ""): void {
    if (this.#isOver) return;
    this.abort();
    this.#sink.fail(error, body);
  }

  #close(): void {
    this.#isOver = true;
    this.#firstEvent.cancel();
    this.#timer?.cancel();
    this.#decoder?.close();
  }
}
