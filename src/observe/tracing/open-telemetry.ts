/** Traces by OpenTelemetry's API: whatever SDK is registered there records them. */
import { hasSubscribers } from "node:diagnostics_channel";
import {
  context,
  createTraceState,
  propagation,
  ProxyTracerProvider,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type Tracer,
} from "@opentelemetry/api";
import type { Clock } from "../../base/clock.ts";
import { settleWithin } from "../../base/deadline.ts";
import type { AppError } from "../../base/errors.ts";
import type { ModelEnd, TurnBegin } from "../../turn/ports.ts";
import type { TraceContext } from "../../turn/tracing/trace-context.ts";
import type { TraceScope } from "../../turn/tracing/trace-scope.ts";
import type {
  CallTrace,
  TracedCall,
  TracedEnd,
  TracedTurn,
  Tracing,
  TurnTrace,
} from "../../turn/tracing/tracing.ts";
import { tokenCounts } from "../../turn/turn-event.ts";
import {
  callNames,
  chatOperation,
  parameterNames,
  turnNames,
  turnSpan,
  usageNames,
} from "./semantic-names.ts";

/** Whether requests of undici are traced by themselves: then they carry the headers of their own spans. */
const undiciRequests = "undici:request:create";
/** How long the last spans may take to be sent, in milliseconds. */
const flushTimeoutMs = 2_000;

/** Records spans with the registered provider. */
export class OpenTelemetry implements Tracing {
  readonly #tracer: Tracer;

  readonly #clock: Clock;

  constructor(version: string, clock: Clock) {
    this.#tracer = trace.getTracer("foreword", version);
    this.#clock = clock;
  }

  startTurn({ model, wire, conversationId, startedAt, parent }: TracedTurn): TurnTrace {
    const attributes: Attributes = { [turnNames.model]: model };
    if (wire !== undefined) attributes[turnNames.wire] = wire;
    const around = findParent(parent);
    const options = { attributes, ...(startedAt !== undefined && { startTime: startedAt }) };
    return new TurnSpan(this.#tracer.startSpan(turnSpan, options, around), around, conversationId);
  }

  startCall({ model, parameters }: TracedCall, turn: TraceScope | undefined): CallTrace {
    const attributes: Attributes = {
      [callNames.operation]: chatOperation,
      [callNames.provider]: model.provider,
      [callNames.model]: model.serverModel,
      [callNames.configuredModel]: model.name,
      [callNames.stream]: true,
      ...toParameters(parameters),
    };
    const conversation = turn instanceof TurnSpan ? turn.conversationId : undefined;
    if (conversation !== undefined) attributes[callNames.conversation] = conversation;
    if (model.server !== undefined) {
      attributes[callNames.serverAddress] = model.server.address;
      attributes[callNames.serverPort] = model.server.port;
    }
    const around = turn instanceof TurnSpan ? turn.inside : context.active();
    const kind = model.server === undefined ? SpanKind.INTERNAL : SpanKind.CLIENT;
    const name = `${chatOperation} ${model.serverModel}`;
    return new CallSpan(this.#tracer.startSpan(name, { kind, attributes }, around), around);
  }

  async flush(): Promise<void> {
    const provider = findProvider();
    const flush: unknown = Reflect.get(provider, "forceFlush");
    if (typeof flush !== "function") return;
    const flushed = Promise.try(async () => await Reflect.apply(flush, provider, []));
    await settleWithin(this.#clock, flushed, flushTimeoutMs);
  }
}

/** Returns the provider of the SDK, which the API hides behind one of its own. */
function findProvider(): object {
  const provider = trace.getTracerProvider();
  return provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider;
}

class TurnSpan implements TurnTrace {
  readonly #span: Span;
  readonly inside: Context;
  readonly conversationId: string | undefined;

  constructor(span: Span, around: Context, conversationId: string | undefined) {
    this.#span = span;
    this.inside = trace.setSpan(around, span);
    this.conversationId = conversationId;
  }

  get context(): TraceContext {
    const { traceId, spanId, traceFlags, traceState } = this.#span.spanContext();
    const flags = traceFlags.toString(16).padStart(2, "0");
    const tracestate = traceState?.serialize();
    return { traceparent: `00-${traceId}-${spanId}-${flags}`, ...(tracestate && { tracestate }) };
  }

  run<Result>(work: () => Result): Result {
    return context.with(this.inside, work);
  }

  pause(turn: TurnBegin): void {
    this.#describe(turn, "waiting");
    this.#span.end();
  }

  end({ turn, result, ended, error }: TracedEnd): void {
    this.#describe({ ...turn, conversationId: ended.conversationId ?? turn.conversationId }, result.outcome);
    this.#span.setAttribute(turnNames.storage, ended.storage);
    if (error !== undefined) setError(this.#span, error);
    this.#span.end();
  }

  #describe({ turnId, conversationId }: TurnBegin, outcome: string): void {
    this.#span.setAttribute(turnNames.id, turnId);
    this.#span.setAttribute(turnNames.conversation, conversationId);
    this.#span.setAttribute(turnNames.outcome, outcome);
  }
}

class CallSpan implements CallTrace {
  readonly headers: Readonly<Record<string, string>>;
  readonly #span: Span;
  readonly #inside: Context;

  constructor(span: Span, around: Context) {
    this.#span = span;
    this.#inside = trace.setSpan(around, span);
    const headers: Record<string, string> = {};
    if (!hasSubscribers(undiciRequests)) propagation.inject(this.#inside, headers);
    this.headers = headers;
  }

  run<Result>(work: () => Result): Result {
    return context.with(this.#inside, work);
  }

  end({ model, finishReason, usage = {} }: ModelEnd, firstChunkMs: number | undefined): void {
    const span = this.#span;
    if (model !== undefined) span.setAttribute(callNames.responseModel, model);
    for (const name of tokenCounts) {
      const count = usage[name];
      if (count !== undefined) span.setAttribute(usageNames[name], count);
    }
    this.#finish(finishReason.replaceAll("-", "_"), firstChunkMs);
  }

  fail(error: AppError, firstChunkMs: number | undefined): void {
    setError(this.#span, error);
    this.#finish("error", firstChunkMs);
  }

  abort(firstChunkMs: number | undefined): void {
    this.#finish("error", firstChunkMs);
  }

  #finish(reason: string, firstChunkMs: number | undefined): void {
    this.#span.setAttribute(callNames.finishReasons, [reason]);
    if (firstChunkMs !== undefined) this.#span.setAttribute(callNames.timeToFirstChunk, firstChunkMs / 1000);
    this.#span.end();
  }
}

/** The message of an error is for the log: it may quote texts. */
function setError(span: Span, { code }: AppError): void {
  span.setAttribute(turnNames.error, code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
}

/** Returns the context of the active span, which is that of a traced request; else that of the headers. */
function findParent(told: TraceContext | undefined): Context {
  const active = context.active();
  if (told === undefined || trace.getSpan(active) !== undefined) return active;
  const [, traceId = "", spanId = "", flags = ""] = told.traceparent.split("-");
  const traceState = told.tracestate === undefined ? undefined : createTraceState(told.tracestate);
  return trace.setSpanContext(active, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
    ...(traceState && { traceState }),
  });
}

function toParameters(parameters: TracedCall["parameters"]): Attributes {
  const attributes: Attributes = {};
  for (const [parameter, name] of Object.entries(parameterNames)) {
    const value: unknown = Reflect.get(parameters, parameter);
    if (typeof value === "number" || typeof value === "string") attributes[name] = value;
  }
  const stop: unknown = Reflect.get(parameters, "stop");
  const sequences = (Array.isArray(stop) ? stop : [stop]).filter((each) => typeof each === "string");
  if (sequences.length > 0) attributes["gen_ai.request.stop_sequences"] = sequences;
  return attributes;
}
