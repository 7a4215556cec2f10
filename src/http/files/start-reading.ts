/** Reads the first part of a stream before the rest is wanted. */

/**
 * Resolves with the same parts once the first is read: an earlier error can still decide the status of a
 * response, a later one cuts it off.
 */
export async function startReading<Part>(parts: AsyncIterable<Part>): Promise<AsyncGenerator<Part>> {
  const iterator = parts[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  })();
}
