/** The place of a request in a trace, as its headers tell. https://www.w3.org/TR/trace-context-1/ */
import { z } from "zod";

/** The parts of the header `traceparent`: version, trace, parent, flags, and more in later versions. */
const form = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-|$)/;
/** The longest `tracestate` that is passed on, in characters. */
const maxStateLength = 512;

/** The values of the headers. */
export const TraceContext = z.object({
  traceparent: z.string().regex(form),
  tracestate: z.string().max(maxStateLength).optional(),
});
/** The values of the headers. */
export type TraceContext = Readonly<z.output<typeof TraceContext>>;

/** Returns the place that headers tell; `undefined` if they tell none. */
export function readTraceContext(headers: Readonly<Record<string, unknown>>): TraceContext | undefined {
  const { traceparent, tracestate } = headers;
  if (typeof traceparent !== "string" || !form.test(traceparent)) return undefined;
  const isPassedOn = typeof tracestate === "string" && tracestate.length <= maxStateLength;
  return { traceparent, ...(isPassedOn && { tracestate }) };
}

/** Returns the id of the trace, 32 hexadecimal digits. */
export function toTraceId({ traceparent }: TraceContext): string {
  return form.exec(traceparent)?.[1] ?? "";
}
