/** Owns one request to an OpenAI-compatible server and its answer: timers, and which end is believed. */
import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import { AppError, toAppError, type ErrorCode } from "../errors.ts";
import type { Clock, ModelSink, Timer } from "../turn/ports.ts";
import { CompletionStream } from "./completion-stream.ts";
import { toModelFailure } from "./model-failure.ts";
import type { OpenAiOptions } from "./openai-server.ts";
import { findRetryAfterMs } from "./retry-after.ts";

/** How long the end of the body may take once the model has said why it finished. */
const graceMs = 1_000;
/** How much of an error body is read. */
const maxErrorBytes = 64 * 1024;

/** What an attempt tells: as a {@link ModelSink}. */
export interface AttemptSink extends Omit<ModelSink, "fail"> {
  /** `body` is what the server said of its refusal, if it did. */
  readonly fail: (error: AppError, body: string) => void;
}

/** One request and its answer, as undici hands it over. */
export class OpenAiAttempt implements Dispatcher.DispatchHandler {
  readonly #sink: AttemptSink;
  readonly #stream = new CompletionStream();
  readonly #timer: Timer;
  readonly #idleTimeoutMs: number;
  readonly #clock: Clock;
  #controller: Dispatcher.DispatchController | undefined;
  #idle: Timer | undefined;
  /** The status of an answer that is not a stream, and what its body says. */
  #refusal: { readonly status: number; readonly retryAfterMs: number | undefined; body: string } | undefined;
  #isOver = false;
  #isAborted = false;
  #hasTold = false;

  constructor(options: OpenAiOptions, clock: Clock, sink: AttemptSink) {
    this.#clock = clock;
    this.#sink = sink;
    this.#idleTimeoutMs = options.idleTimeoutMs;
    const { firstByteTimeoutMs } = options;
    this.#timer = clock.after(firstByteTimeoutMs, () =>
      this.#fail(new AppError("model_silent", `no event within ${firstByteTimeoutMs} ms`)),
    );
  }

  /** Whether anything was told: from then on there is no other attempt. */
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
    if (status < 200) return; // an interim answer, like 103 Early Hints
    const type = headers["content-type"] ?? "";
    if (status === 200 && type.toLowerCase().startsWith("text/event-stream")) return;
    this.#refusal = { status, retryAfterMs: findRetryAfterMs(headers, this.#clock.now()), body: "" };
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return;
    if (this.#refusal !== undefined) return this.#readRefusal(chunk);
    const before = this.#stream.events;
    this.#read(() => this.#stream.push(chunk));
    if (this.#stream.events !== before) this.#keepAlive();
    if (this.#stream.isDone) this.#judge();
  }

  onResponseEnd(): void {
    if (this.#isOver) return this.#idle?.cancel();
    if (this.#refusal !== undefined) return this.#failRefused();
    this.#read(() => this.#stream.finish(), "model_truncated");
    this.#judge();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#isOver) return this.#idle?.cancel();
    if (this.#refusal !== undefined) return this.#failRefused();
    if (this.#stream.isWhole) return this.#judge();
    const code = this.#stream.events > 0 ? "model_truncated" : "model_unavailable";
    this.#fail(new AppError(code, error.message, { cause: error }));
  }

  /** @param code what it means when it cannot be read; by default what the error says. */
  #read(read: () => string, code?: ErrorCode): void {
    try {
      this.#tell(read());
    } catch (cause) {
      this.#tell(this.#stream.flush());
      const error = toAppError(cause);
      this.#fail(
        code === undefined || this.#stream.isWhole ? error : new AppError(code, error.message, { cause }),
      );
    }
  }

  #tell(text: string): void {
    const reasoning = this.#stream.takeReasoning();
    if (this.#isOver) return;
    if (reasoning !== "" && this.#sink.reasoning !== undefined) {
      this.#hasTold = true;
      this.#sink.reasoning(reasoning);
    }
    if (text === "") return;
    this.#hasTold = true;
    this.#sink.text(text);
  }

  /** An event came: the next must come within the idle time, or shortly once the reply is whole. */
  #keepAlive(): void {
    if (this.#isOver) return;
    this.#timer.cancel();
    if (this.#stream.isWhole) {
      this.#idle?.cancel();
      this.#idle = this.#clock.after(graceMs, () => this.#judge());
    } else if (this.#idle === undefined) {
      this.#idle = this.#clock.after(this.#idleTimeoutMs, () =>
        this.#fail(new AppError("model_stalled", `no event for ${this.#idleTimeoutMs} ms`)),
      );
    } else this.#idle.refresh();
  }

  /** The stream is over: the reply is whole if the model said why it finished, and only then. */
  #judge(): void {
    if (this.#isOver) return;
    if (!this.#stream.isWhole)
      return this.#fail(new AppError("model_truncated", "the stream ended without a finish reason"));
    this.#read(() => this.#stream.flush());
    this.#close();
    // The body should end by itself now, which keeps the connection; one that does not is closed.
    this.#idle = this.#clock.after(graceMs, () => this.abort());
    this.#sink.end(this.#stream.toEnd());
  }

  #readRefusal(chunk: Buffer): void {
    if (this.#refusal === undefined) return;
    this.#refusal.body += chunk.toString("latin1");
    if (this.#refusal.body.length > maxErrorBytes) this.#failRefused();
  }

  #failRefused(): void {
    const { status = 0, retryAfterMs, body: bytes = "" } = this.#refusal ?? {};
    const body = Buffer.from(bytes.slice(0, maxErrorBytes), "latin1").toString("utf8");
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
    this.#timer.cancel();
    this.#idle?.cancel();
  }
}
