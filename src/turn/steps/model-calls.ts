/** The calls of a turn's model, one for each step, and how their replies came about. */
import type { PricedModels } from "../budget/prices.ts";
import type { ChatSummaries } from "../context/chat-summaries.ts";
import type { Prompt } from "../instructions.ts";
import type { TraceScope } from "../tracing/trace-scope.ts";
import type { SentContext } from "../turn-event.ts";
import type { CallOptions, CallReport, Model, ModelCall, ModelSink } from "../ports.ts";

/** The models of turns. */
export interface ModelPorts extends PricedModels {
  /** Summaries of the turn's own chat; absent for none. */
  readonly summaries?: ChatSummaries | undefined;
  /** The turn's span; absent if there are no traces. */
  readonly trace?: TraceScope | undefined;
}

/** The calls of one turn; the next is made once the one before has ended. */
export class ModelCalls {
  readonly #model: Model;
  #call: ModelCall | undefined;
  /** Of the steps before the call. */
  #earlier: CallReport | undefined;

  readonly #options: CallOptions | undefined;

  /** @param earlier the report of the steps before a wait. */
  constructor(
    model: Model,
    { summaries, trace }: Pick<ModelPorts, "summaries" | "trace">,
    earlier?: CallReport,
  ) {
    this.#model = model;
    this.#options = summaries === undefined && trace === undefined ? undefined : { summaries, trace };
    this.#earlier = earlier;
  }

  /** Asks for the reply of the next step, by preference from the model that replied to the earlier ones. */
  ask(prompt: Prompt, sink: ModelSink): void {
    this.#earlier = this.report;
    const prefers = this.#earlier?.model;
    const options = prefers === undefined ? this.#options : { ...this.#options, prefers };
    this.#call = this.#model.complete(prompt, sink, options);
  }

  /** Ends the call in progress, if there is one. */
  abort(): void {
    this.#call?.abort();
  }

  /** How the replies have come about so far; `undefined` if there is nothing to tell. */
  get report(): CallReport | undefined {
    const report = this.#call?.report;
    const earlier = this.#earlier;
    if (earlier === undefined || report === undefined) return report ?? earlier;
    const attempts = [...(earlier.attempts ?? []), ...(report.attempts ?? [])];
    const context = mergeContexts(earlier.context, report.context);
    const merged = { ...(attempts.length > 0 && { attempts }), ...(context && { context }) };
    return { ...earlier, ...report, ...merged };
  }
}

/** The newest step's says what was sent; one retry is told however many steps follow it. */
function mergeContexts(
  earlier: SentContext | undefined,
  newest: SentContext | undefined,
): SentContext | undefined {
  if (earlier === undefined || newest === undefined) return newest ?? earlier;
  return { ...newest, ...((earlier.isRetried ?? newest.isRetried) && { isRetried: true }) };
}
