/** Waits, abortably, for work that cannot be aborted itself. */

/** Settles as `work` does, or rejects with the reason of `signal` when it aborts, whichever comes first. */
export async function abortable<Value>(
  work: PromiseLike<Value> | Value,
  signal: AbortSignal | undefined,
): Promise<Value> {
  if (signal === undefined) return await work;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
