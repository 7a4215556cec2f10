/** A model with fallbacks: one that fails before its client has seen anything is left for the next. */
import { AppError } from "../../base/errors.ts";
import type { ModelParameters, Prompt } from "../../turn/instructions.ts";
import { usualOutputTokens } from "../../turn/limits.ts";
import type { Observer } from "../../turn/observer.ts";
import type { CallOptions, CallReport, Model, ModelCall, ModelEnd, ModelSink } from "../../turn/ports.ts";
import type { ModelAttempt } from "../../turn/turn-event.ts";
import type { OpenedReasoning } from "../../turn/reply/opened-reasoning.ts";
import { findNextModels } from "./failure-rules.ts";
import type { ModelHealth, ModelTrial } from "./model-health.ts";

/** A model that may reply. */
export interface Candidate {
  readonly model: Model;
  readonly health: ModelHealth;
  /** How long it may send no event while another can be asked, in milliseconds. */
  readonly failoverAfterMs: number;
  /** Returns its context window, in tokens, as far as it is known. */
  readonly windowTokens: () => number | undefined;
}

/** The first of its candidates, or, if that fails, another. */
export class FailoverModel implements Model {
  readonly name: string;
  readonly allowedParameters: readonly string[] | undefined;
  readonly openedReasoning: OpenedReasoning;
  readonly #first: Model;
  readonly #candidates: readonly Candidate[];
  readonly #observe: Observer;

  /** @param fallbacks asked in this order; closed by their owner, unlike `first`. */
  constructor(first: Candidate, fallbacks: readonly Candidate[], observe: Observer) {
    this.name = first.model.name;
    this.allowedParameters = first.model.allowedParameters;
    this.openedReasoning = first.model.openedReasoning;
    this.#first = first.model;
    this.#candidates = [first, ...fallbacks];
    this.#observe = observe;
  }

  /** As much as the model with the largest window is sent. */
  get maxReadChars(): number {
    return Math.max(...this.#candidates.map(({ model }) => model.maxReadChars));
  }

  /** Whichever model replies: one without a bound counts as turns of such models do. */
  toMaxTokens(parameters: ModelParameters): number | undefined {
    const bounds = this.#candidates.map(({ model }) => model.toMaxTokens(parameters));
    if (bounds.every((bound) => bound === undefined)) return undefined;
    return Math.max(...bounds.map((bound) => bound ?? usualOutputTokens));
  }

  complete(prompt: Prompt, sink: ModelSink, options: CallOptions = {}): ModelCall {
    const preferred = this.#candidates.filter(({ model }) => model.name === options.prefers);
    const others = this.#candidates.filter(({ model }) => model.name !== options.prefers);
    const candidates = [...preferred, ...others];
    return new FailoverCall(candidates, prompt, sink, this.#observe, options);
  }

  close(): Promise<void> {
    return this.#first.close();
  }
}

/** One reply; at most one model works on it at a time. */
class FailoverCall implements ModelCall {
  /** The candidates that have not been asked, in their order. */
  readonly #rest: Candidate[];
  readonly #prompt: Prompt;
  readonly #sink: ModelSink;
  readonly #observe: Observer;
  readonly #options: Pick<CallOptions, "summaries" | "trace">;
  readonly #attempts: ModelAttempt[] = [];
  #current: Candidate;
  #trial: ModelTrial | undefined;
  #call: ModelCall | undefined;

  constructor(
    candidates: readonly Candidate[],
    prompt: Prompt,
    sink: ModelSink,
    observe: Observer,
    { summaries, trace }: CallOptions,
  ) {
    this.#options = { summaries, trace };
    this.#rest = [...candidates];
    this.#prompt = prompt;
    this.#sink = sink;
    this.#observe = observe;
    const first = findBest(candidates);
    if (first === undefined) throw new Error("a model has no candidates");
    this.#current = first;
    this.#sink.restart(first.model);
    this.#ask();
  }

  abort(): void {
    this.#trial?.end();
    this.#call?.abort();
  }

  get report(): CallReport {
    const attempts = this.#attempts.length > 0 ? { attempts: this.#attempts.slice() } : undefined;
    return { ...this.#call?.report, model: this.#current.model.name, ...attempts };
  }

  #ask(): void {
    const candidate = this.#current;
    this.#rest.splice(this.#rest.indexOf(candidate), 1);
    const hasNext = this.#rest.some(({ health }) => health.isAvailable);
    const leaveAfterMs = hasNext ? candidate.failoverAfterMs : undefined;
    const trial = candidate.health.start();
    this.#trial = trial;
    let isAlive = false;
    const succeed = (): void => {
      if (!isAlive) trial.succeed();
      isAlive = true;
    };
    const sink: ModelSink = {
      text: (piece) => {
        succeed();
        this.#sink.text(piece);
      },
      reasoning: this.#sink.reasoning,
      toolCall: (piece) => {
        succeed();
        this.#sink.toolCall(piece);
      },
      end: (end) => this.#end(end, succeed),
      fail: (error) => {
        trial.fail(error);
        if (!this.#moveOn(error)) this.#sink.fail(error);
      },
      restart: (next) => this.#sink.restart(next),
      judge: (end) => this.#sink.judge(end),
    };
    this.#call = candidate.model.complete(this.#prompt, sink, { leaveAfterMs, ...this.#options });
  }

  #end(end: ModelEnd, succeed: () => void): void {
    const error = this.#rest.length > 0 ? this.#sink.judge(end) : undefined;
    if (error !== undefined && this.#moveOn(error)) return;
    succeed();
    this.#sink.end(end);
  }

  /** Asks the next model, if there is one for this failure, and the client has seen nothing. */
  #moveOn(error: AppError): boolean {
    const next = this.#findNext(error);
    if (next === undefined || !this.#sink.restart(next.model)) return false;
    const left = this.#current.model.name;
    this.#trial?.end();
    this.#attempts.push({ model: left, errorCode: error.code });
    this.#observe({ type: "model-left", model: left, next: next.model.name, error });
    this.#current = next;
    this.#ask();
    return true;
  }

  #findNext({ code }: AppError): Candidate | undefined {
    switch (findNextModels(code)) {
      case "any":
        return findBest(this.#rest);
      case "larger": {
        const windowTokens = this.#current.windowTokens() ?? Number.POSITIVE_INFINITY;
        return findBest(this.#rest.filter((candidate) => (candidate.windowTokens() ?? 0) > windowTokens));
      }
      case "none":
        return undefined;
    }
  }
}

/**
 * Returns the first candidate that is available. If none is, the one that will be first is better than no
 * reply; `undefined` only without candidates.
 */
function findBest(candidates: readonly Candidate[]): Candidate | undefined {
  return (
    candidates.find(({ health }) => health.isAvailable) ??
    candidates.toSorted((one, other) => one.health.availableAtMs - other.health.availableAtMs)[0]
  );
}
