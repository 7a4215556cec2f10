/** A model whose calls are measured and traced. */
import type { Clock } from "../../base/clock.ts";
import type { AppError, ErrorCode } from "../../base/errors.ts";
import type { ModelParameters, Prompt } from "../../turn/instructions.ts";
import { chunkGapBoundsMs, type Observer } from "../../turn/observer.ts";
import type {
  CallMeter,
  CallOptions,
  CallReport,
  Model,
  ModelCall,
  ModelEnd,
  ModelSink,
} from "../../turn/ports.ts";
import type { OpenedReasoning } from "../../turn/reply/opened-reasoning.ts";
import type { TraceScope } from "../../turn/tracing/trace-scope.ts";
import type { CallTrace, TracedModel, Tracing } from "../../turn/tracing/tracing.ts";

/** A configured model: its window in tokens is `undefined` if unknown, or if it has none. */
export type MeasurableModel = Model & { readonly windowTokens?: number | undefined };

/** What measures and traces calls. */
export interface CallServices {
  readonly clock: Clock;
  /** Told of each call when it is over. */
  readonly observe: Observer;
  /** Absent if there are no traces. */
  readonly tracing?: Tracing | undefined;
}

/** The model, unchanged but for an event after each of its calls, and a span for each. */
export class ObservedModel implements Model {
  readonly name: string;
  readonly allowedParameters: readonly string[] | undefined;
  readonly openedReasoning: OpenedReasoning;
  readonly #model: MeasurableModel;
  readonly #traced: TracedModel;
  readonly #services: CallServices;

  /** @param traced the model, as traces name it. */
  constructor(model: MeasurableModel, traced: TracedModel, services: CallServices) {
    this.name = model.name;
    this.allowedParameters = model.allowedParameters;
    this.openedReasoning = model.openedReasoning;
    this.#model = model;
    this.#traced = traced;
    this.#services = services;
  }

  get maxReadChars(): number {
    return this.#model.maxReadChars;
  }

  get windowTokens(): number | undefined {
    return this.#model.windowTokens;
  }

  toMaxTokens(parameters: ModelParameters): number | undefined {
    return this.#model.toMaxTokens(parameters);
  }

  complete(prompt: Prompt, sink: ModelSink, options: CallOptions = {}): ModelCall {
    const meter = new Meter(this.name, this.#services, this.#trace(prompt, options));
    const inner = this.#model.complete(prompt, toSink(sink, meter, options.trace), { ...options, meter });
    return {
      abort: () => {
        inner.abort();
        meter.abort();
      },
      get report(): CallReport | undefined {
        return inner.report;
      },
    };
  }

  close(): Promise<void> {
    return this.#model.close();
  }

  #trace({ parameters }: Prompt, { trace }: CallOptions): CallTrace | undefined {
    const { tracing } = this.#services;
    if (tracing === undefined) return undefined;
    const model = this.#traced;
    return tracing.startCall({ model, parameters: { ...model.defaults, ...parameters } }, trace);
  }
}

/**
 * Returns `sink` with a meter before it. With a trace, what follows a reply runs in the context of its turn:
 * a connection that is used again has that of the first turn that used it.
 */
function toSink(sink: ModelSink, meter: Meter, scope: TraceScope | undefined): ModelSink {
  const run = <Result>(work: () => Result): Result => (scope === undefined ? work() : scope.run(work));
  return {
    text: (piece) => sink.text(piece),
    reasoning: sink.reasoning,
    toolCall: (piece) => sink.toolCall(piece),
    end: (end) => {
      meter.end(end);
      run(() => sink.end(end));
    },
    fail: (error) => {
      meter.fail(error);
      run(() => sink.fail(error));
    },
    restart: (next) => sink.restart(next),
    judge: (end) => sink.judge(end),
  };
}

/** A count for each bound, and one more. */
const zeros = [...chunkGapBoundsMs.map(() => 0), 0];

/** The times at which the pieces of one reply came. */
class Meter implements CallMeter {
  readonly #model: string;
  readonly #services: CallServices;
  readonly #trace: CallTrace | undefined;
  readonly #startedMs: number;
  readonly #counts = zeros.slice();
  #sumMs = 0;
  #firstChunkMs: number | undefined;
  #lastMs = 0;
  #isOver = false;
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(model: string, services: CallServices, trace: CallTrace | undefined) {
    this.#model = model;
    this.#services = services;
    this.#trace = trace;
    this.#startedMs = services.clock.monotonicMs();
    this.headers = trace?.headers;
  }

  run<Result>(work: () => Result): Result {
    return this.#trace === undefined ? work() : this.#trace.run(work);
  }

  chunk(): void {
    const nowMs = this.#services.clock.monotonicMs();
    if (this.#firstChunkMs === undefined) this.#firstChunkMs = nowMs - this.#startedMs;
    else {
      const gapMs = nowMs - this.#lastMs;
      let index = 0;
      while (gapMs > (chunkGapBoundsMs[index] ?? Number.POSITIVE_INFINITY)) index += 1;
      this.#counts[index] = (this.#counts[index] ?? 0) + 1;
      this.#sumMs += gapMs;
    }
    this.#lastMs = nowMs;
  }

  end(end: ModelEnd): void {
    if (this.#isOver) return;
    this.#trace?.end(end, this.#firstChunkMs);
    this.#tell("ok", end);
  }

  fail(error: AppError): void {
    if (this.#isOver) return;
    this.#trace?.fail(error, this.#firstChunkMs);
    this.#tell(error.code);
  }

  abort(): void {
    if (this.#isOver) return;
    this.#trace?.abort(this.#firstChunkMs);
    this.#tell("aborted");
  }

  #tell(result: "ok" | "aborted" | ErrorCode, end?: ModelEnd): void {
    this.#isOver = true;
    const { clock, observe } = this.#services;
    observe({
      type: "model-called",
      model: this.#model,
      result,
      durationMs: clock.monotonicMs() - this.#startedMs,
      firstChunkMs: this.#firstChunkMs,
      gaps: { counts: this.#counts, sumMs: this.#sumMs },
      usage: end?.usage,
    });
  }
}
