/** Traces, as a port: a span for each turn, and one for each call of a model. */
import type { AppError } from "../../base/errors.ts";
import type { EndResult, ModelEnd, TurnBegin, TurnResult } from "../ports.ts";
import type { WireName } from "../turn-event.ts";
import type { TraceContext } from "./trace-context.ts";
import type { TraceScope } from "./trace-scope.ts";

/** A turn at the start of its span. */
export interface TracedTurn {
  /** The configured model that is asked first. */
  readonly model: string;
  readonly wire: WireName | undefined;
  /** If the client named it. */
  readonly conversationId: string | undefined;
  /** When it began, if that was before its span starts. */
  readonly startedAt: Date | undefined;
  /** The place of its request in its client's trace; `undefined` if it has none. */
  readonly parent: TraceContext | undefined;
}

/** A turn at the end of its span. */
export interface TracedEnd {
  readonly turn: TurnBegin;
  readonly result: TurnResult;
  readonly ended: EndResult;
  readonly error: AppError | undefined;
}

/** The span of a turn. */
export interface TurnTrace extends TraceScope {
  readonly context: TraceContext;
  /** The turn waits for its user: another span goes on with it. */
  pause(turn: TurnBegin): void;
  end(end: TracedEnd): void;
}

/** The model of a call, as its server knows it. */
export interface TracedModel {
  /** The name by which clients choose it. */
  readonly name: string;
  /** The provider's name in the conventions of OpenTelemetry, as far as its address tells. */
  readonly provider: string;
  readonly serverModel: string;
  /** `undefined` for a model in this process. */
  readonly server: { readonly address: string; readonly port: number } | undefined;
  /** The parameters that it gets unless a client sets them. */
  readonly defaults: Readonly<Record<string, unknown>>;
}

/** A call at the start of its span. */
export interface TracedCall {
  readonly model: TracedModel;
  /** As they are asked for; a server may get other ones. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** The span of a call. */
export interface CallTrace extends TraceScope {
  /** The headers that tell the model's server about the trace. */
  readonly headers: Readonly<Record<string, string>>;
  /** @param firstChunkMs from its start to the first piece; `undefined` if none came. */
  end(end: ModelEnd, firstChunkMs: number | undefined): void;
  fail(error: AppError, firstChunkMs: number | undefined): void;
  /** The rest of its reply is not wanted. */
  abort(firstChunkMs: number | undefined): void;
}

/** Starts spans. */
export interface Tracing {
  startTurn(turn: TracedTurn): TurnTrace;
  /** @param turn the turn it belongs to; `undefined` if the active span is its parent. */
  startCall(call: TracedCall, turn: TraceScope | undefined): CallTrace;
  /** Resolves once all spans have been sent, or cannot be sent in time. Never rejects. */
  flush(): Promise<void>;
}
