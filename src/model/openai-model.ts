/** The model behind an OpenAI-compatible server: its replies, each in as many attempts as it takes. */
import { AppError, toAppError } from "../base/errors.ts";
import { toReadChars } from "../turn/context/read-chars.ts";
import { hasFiles, isAboutFile, withoutFiles } from "../turn/attachments/prompt-files.ts";
import { hasInstruction, type ModelParameters, type Prompt } from "../turn/instructions.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
import type {
  CallMeter,
  CallOptions,
  CallReport,
  Model,
  ModelCall,
  ModelEnd,
  ModelSink,
} from "../turn/ports.ts";
import { OpenedReasoning } from "../turn/reply/opened-reasoning.ts";
import { ContextFit } from "./context/context-fit.ts";
import type { Exchange, PooledRequest } from "./connection-pool.ts";
import { OpenAiAttempt, type AttemptSink } from "./openai-attempt.ts";
import { toJsonBytes, type JsonParts } from "../base/json/long-json.ts";
import { OpenAiServer, type CompletionRequest, type Target } from "./openai-server.ts";
import { isAboutFiles, isAboutKind } from "./request/file-memory.ts";
import { isUndone, type Correction } from "./request/parameter-memory.ts";
import { toOwnWords } from "./request/own-words.ts";
import {
  findCorrections,
  isAboutParameter,
  isAboutSchema,
  isAboutTools,
  isBadRequest,
} from "./request/refused-parameter.ts";
import { findMaxTokens } from "./request/sent-parameters.ts";
import { hasClientTools } from "./request/tool-offer.ts";
import type { ModelSettings } from "./settings.ts";

const maxRetryAfterMs = 60_000;
const retryDelayMs = 500;
/** How often a reply is asked for with another correction. */
const maxCorrections = 12;

/** Failures before the first text after which a second attempt may succeed. */
const retried = new Set(["model_unavailable", "model_rate_limited", "model_truncated", "model_failed"]);
/** Failures that a silently dead connection may cause. */
const unheard = new Set(["model_unavailable", "model_silent"]);

/** A model behind an OpenAI-compatible server. */
export class OpenAiModel implements Model {
  readonly name: string;
  readonly allowedParameters: readonly string[] | undefined;
  readonly openedReasoning: OpenedReasoning;
  readonly #server: OpenAiServer;
  readonly #clock: Clock;

  constructor(settings: ModelSettings, clock: Clock, observe: Observer) {
    this.name = settings.name;
    this.allowedParameters = settings.parameters?.allowed;
    this.openedReasoning = new OpenedReasoning(settings.opensReasoning);
    this.#server = new OpenAiServer(settings, clock, observe);
    this.#clock = clock;
  }

  get maxReadChars(): number {
    return toReadChars(this.windowTokens, this.#server.settings.maxContextChars);
  }

  toMaxTokens(parameters: ModelParameters): number | undefined {
    return findMaxTokens(parameters, this.#server.settings.parameters);
  }

  complete(prompt: Prompt, sink: ModelSink, options?: CallOptions): ModelCall {
    return new OpenAiCall(this.#server, this.#clock, prompt, sink, options);
  }

  /** The most tokens of a prompt and its reply, as configured or learnt; `undefined` if unknown. */
  get windowTokens(): number | undefined {
    return this.#server.context.windowTokens;
  }

  close(): Promise<void> {
    return this.#server.pool.destroy();
  }
}

/** One reply; at most one attempt of it runs at a time. */
class OpenAiCall implements ModelCall {
  readonly #server: OpenAiServer;
  readonly #clock: Clock;
  readonly #fit: ContextFit;
  #prompt: Prompt;
  readonly #sink: ModelSink;
  readonly #leaveAfterMs: number | undefined;
  readonly #meter: CallMeter | undefined;
  #request: CompletionRequest | undefined;
  #attempt: OpenAiAttempt | undefined;
  #exchange: Exchange | undefined;
  /** Whether a reused connection turned out to be dead, so that a new one is needed. */
  #needsFresh = false;
  #retry: Timer | undefined;
  /** Changes after refusals of this reply, and those of them that hold for any reply. */
  readonly #corrections: Correction[] = [];
  readonly #lasting: Correction[] = [];
  #hasReplied = false;
  #hasRetried = false;
  #isOver = false;

  constructor(
    server: OpenAiServer,
    clock: Clock,
    prompt: Prompt,
    sink: ModelSink,
    { leaveAfterMs, summaries, meter }: CallOptions = {},
  ) {
    this.#leaveAfterMs = leaveAfterMs;
    this.#meter = meter;
    this.#server = server;
    this.#clock = clock;
    this.#fit = new ContextFit(server.context, prompt, summaries);
    this.#prompt = this.#fit.prompt;
    this.#sink = sink;
    const { failure } = this.#fit;
    if (failure === undefined) this.#sendFitted();
    else queueMicrotask(() => this.#settle(() => sink.fail(failure)));
  }

  get report(): CallReport | undefined {
    const { context } = this.#fit;
    return context && { context };
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#retry?.cancel();
    this.#attempt?.abort();
  }

  /** Sends as much of the prompt as fits, once that is known. */
  #sendFitted(): void {
    const { adding } = this.#fit;
    if (adding !== undefined) {
      void adding.then(() => {
        this.#prompt = this.#fit.prompt;
        if (!this.#isOver) this.#send();
      });
      return;
    }
    this.#prompt = this.#fit.prompt;
    this.#send();
  }

  /** In this very tick if possible: the turn's other work is then done while the request is under way. */
  #send(): void {
    const { target } = this.#server;
    if (target !== undefined) return this.#sendTo(target);
    this.#server.loadTarget().then(
      (loaded) => this.#sendTo(loaded),
      (error: unknown) => this.#settle(() => this.#sink.fail(toAppError(error))),
    );
  }

  #sendTo(target: Target): void {
    if (this.#isOver) return;
    // Once a server has shown that it reads none; the newest message's is refused by itself.
    if (!this.#server.files.mayRead && !isAboutFile(this.#prompt)) this.#prompt = withoutFiles(this.#prompt);
    const request = this.#server.toRequest(this.#prompt, this.#corrections, target, this.#meter?.headers);
    this.#request = request;
    const sink: AttemptSink = {
      meter: this.#meter,
      text: (piece) => {
        this.#remember(request);
        this.#sink.text(piece);
      },
      reasoning: this.#sink.reasoning,
      toolCall: (piece) => {
        this.#remember(request);
        this.#sink.toolCall(piece);
      },
      end: (end) => {
        this.#fit.takeUsage(this.#prompt, end.usage);
        this.#settle(() => this.#sink.end(this.#toNamed(end)));
      },
      toOwnWords: (body) => toOwnWords(body, this.#prompt),
      fail: (error, body) => this.#fail(error, body),
    };
    const { options } = this.#server;
    this.#attempt = new OpenAiAttempt(options, this.#clock, sink, request.offered, this.#leaveAfterMs);
    this.#exchange = undefined;
    const { origin, path, headers, body } = request;
    if (typeof body === "string") this.#post({ origin, path, headers, body }, this.#attempt);
    else void this.#postLong(request, body, this.#attempt);
  }

  /** Not in this tick: its bytes are made in many. */
  async #postLong(request: CompletionRequest, parts: JsonParts, attempt: OpenAiAttempt): Promise<void> {
    const body = await toJsonBytes(parts);
    if (!this.#isOver && this.#attempt === attempt) this.#post({ ...request, body }, attempt);
  }

  #post(request: PooledRequest, attempt: OpenAiAttempt): void {
    try {
      this.#exchange = this.#dispatch(request, attempt);
    } catch (error) {
      // Not in the caller's own tick.
      queueMicrotask(() => this.#settle(() => this.#sink.fail(toAppError(error))));
    }
  }

  #dispatch(request: PooledRequest, attempt: OpenAiAttempt): Exchange {
    const send = (): Exchange => this.#server.pool.dispatch(request, attempt, this.#needsFresh);
    return this.#meter === undefined ? send() : this.#meter.run(send);
  }

  #toNamed(end: ModelEnd): ModelEnd {
    const { keepsName, name } = this.#server.settings;
    return keepsName ? { ...end, model: name } : end;
  }

  /** With the first text or call of a reply, the request is known to be accepted. */
  #remember(request: CompletionRequest): void {
    if (this.#hasReplied) return;
    this.#hasReplied = true;
    if (hasFiles(this.#prompt)) this.#server.files.accept();
    this.#server.remember(request, this.#lasting);
  }

  #settle(tell: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    tell();
  }

  #fail(failure: AppError, body: string): void {
    if (this.#isOver) return;
    const wasSilent = this.#attempt?.hasTold !== true;
    if (wasSilent && hasFiles(this.#prompt) && isAboutFiles(failure, body))
      return this.#failFiles(failure, body);
    if (wasSilent && failure.code === "context_too_long") return this.#failTooLong(failure, body);
    if (wasSilent && this.#mayAskWithout(failure, body)) return this.#send();
    const mayWait = this.#leaveAfterMs === undefined;
    const isUnheard = mayWait ? unheard.has(failure.code) : failure.code === "model_unavailable";
    if (this.#exchange?.isUnheard === true && !this.#needsFresh && isUnheard) {
      this.#needsFresh = true;
      return this.#send();
    }
    const error = this.#toBlamed(failure, body);
    if (!wasSilent || this.#hasRetried || !mayWait || !retried.has(error.code)) {
      return this.#settle(() => this.#sink.fail(error));
    }
    const delayMs = error.retryAfterMs ?? retryDelayMs * (1 + Math.random());
    if (delayMs > maxRetryAfterMs) return this.#settle(() => this.#sink.fail(error));
    this.#hasRetried = true;
    this.#retry = this.#clock.after(delayMs, () => this.#send());
  }

  /** PDFs were refused: those of earlier messages are left out, one of the newest cannot be. */
  #failFiles(failure: AppError, body: string): void {
    if (isAboutKind(body)) this.#server.files.refuse();
    const { message } = failure;
    if (isAboutFile(this.#prompt))
      return this.#settle(() => this.#sink.fail(new AppError("file_refused", message, { cause: failure })));
    this.#prompt = withoutFiles(this.#prompt);
    this.#send();
  }

  /** The prompt is longer than the window: a shorter one is sent, once. */
  #failTooLong(failure: AppError, body: string): void {
    if (!this.#fit.shorten(body === "" ? failure.message : body))
      return this.#settle(() => this.#sink.fail(this.#fit.explain(failure)));
    this.#sendFitted();
  }

  /** If the prompt, or the refused part of it, is the client's alone, the client's request is at fault. */
  #toBlamed(error: AppError, body: string): AppError {
    const isClients =
      error.code === "model_refused" &&
      isBadRequest(error) &&
      (!hasInstruction(this.#prompt) ||
        (this.#request !== undefined && isAboutParameter(error, body, this.#request)));
    const isBlamed = isClients || (hasClientTools(this.#prompt) && isAboutTools(error, body));
    return isBlamed ? new AppError("request_refused", error.message, { cause: error }) : error;
  }

  /**
   * Whether the model is asked again, without the parameters that it refuses: a success is remembered. A
   * correction that does not help is not made twice.
   */
  #mayAskWithout(error: AppError, body: string): boolean {
    if (this.#request === undefined || this.#corrections.length >= maxCorrections) return false;
    const found = findCorrections(error, body, this.#request).filter(
      (correction) => !this.#corrections.some((earlier) => isUndone(correction, earlier)),
    );
    this.#corrections.push(...found);
    // With one tool's schema refused, other tools may be taken.
    this.#lasting.push(...found.filter(({ name }) => name !== "tools" || !isAboutSchema(body)));
    return found.length > 0;
  }
}
