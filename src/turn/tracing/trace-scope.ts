/** The context of a span, in which work runs. */

/** A span that other spans may be below. */
export interface TraceScope {
  /** Runs `work` in the span's context: spans that it starts are below this one. */
  run<Result>(work: () => Result): Result;
}
