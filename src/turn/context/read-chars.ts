/** How much of a stored path is read for a model. */

/** Without a known window, in characters. */
const usualChars = 400_000;
const minChars = 1_000;
const maxChars = 10_000_000;
/**
 * Characters for each token of a window. English has five, and up to a quarter of the part that is read is
 * left out, so that the path starts with the same message in many turns.
 */
export const charsPerToken = 8;

/**
 * Returns how much of the end of a stored path is read, in characters.
 * @param windowTokens of the model, if known.
 * @param limit set by the operator; `undefined` for none.
 */
export function toReadChars(windowTokens: number | undefined, limit: number | undefined): number {
  if (windowTokens === undefined) return limit ?? usualChars;
  return Math.min(limit ?? maxChars, Math.max(minChars, windowTokens * charsPerToken));
}
