/** Writes words as Postgres stores and matches them, so that Postgres never parses a text. */
import { readTerms, type QueryWord, type Term } from "./search-terms.ts";
import type { Words } from "./text-words.ts";

/** A search as the database receives it: texts of `tsquery`. */
export interface SearchQuery {
  /** The condition on a text. */
  readonly match: string;
  /**
   * A weaker condition, if `match` has phrases: the index knows which words a text holds, but not their
   * positions. `null` for any text.
   */
  readonly likely: string | null;
}

/**
 * The prefix of every word of a user's texts in the index, so that the cost of a search grows with this
 * user's texts, not with all texts: a prefix search visits this user's words only. Two users may share one;
 * the owner's lexeme tells them apart.
 */
function toNamespace(userId: string | undefined): string {
  return (userId ?? "nobody").slice(-8).toLowerCase();
}

/** Returns a text's words as a `tsvector` that also names its owner and conversation. */
export function toVector(words: Words, userId: string | undefined, conversationId: string): string {
  const start = quote(toNamespace(userId)).slice(0, -1);
  const owner = quote(` owner ${userId?.toLowerCase() ?? "nobody"}`);
  let vector = `${owner} ${quote(` conversation ${conversationId}`)}`;
  for (const [word, positions] of words) {
    vector += ` ${start}${word}'`;
    if (positions.length > 0) vector += `:${positions.join(",")}`;
  }
  return vector;
}

/**
 * Returns the query in `text`: all its words, those in quotes adjacent, none with a hyphen before it, and
 * with `or` the words before it or those after it. The last word may be incomplete, unless quoted.
 * `undefined` for a text without words.
 */
export function toSearchQuery(text: string, userId: string | undefined): SearchQuery | undefined {
  const namespace = toNamespace(userId);
  const alternatives = readTerms(text);
  if (alternatives.length === 0) return undefined;
  const match = joinAny(alternatives.map((terms) => terms.map((one) => toPhrase(one, namespace))));
  const isPlain = alternatives.flat().every(({ words }) => words.length === 1);
  const likely = alternatives.map((terms) => terms.flatMap((one) => toLikely(one, namespace)));
  return {
    match,
    likely: isPlain ? match : likely.some((parts) => parts.length === 0) ? null : joinAny(likely),
  };
}

function joinAny(alternatives: readonly (readonly string[])[]): string {
  return alternatives.map((parts) => `(${parts.join(" & ")})`).join(" | ");
}

function toPhrase({ words, isNegated }: Term, namespace: string): string {
  let phrase = "";
  let last = 0;
  for (const asked of words) {
    phrase += `${phrase === "" ? "" : ` <${asked.position - last}> `}${toLexeme(asked, namespace)}`;
    last = asked.position;
  }
  return isNegated ? `!(${phrase})` : `(${phrase})`;
}

function toLikely({ words, isNegated }: Term, namespace: string): string[] {
  const lexemes = words.map((asked) => toLexeme(asked, namespace));
  if (!isNegated) return lexemes;
  // A text may hold the words of a phrase that it must not hold.
  return lexemes.length === 1 ? lexemes.map((lexeme) => `!${lexeme}`) : [];
}

function toLexeme({ word, isPrefix }: QueryWord, namespace: string): string {
  return quote(namespace + word) + (isPrefix ? ":*" : "");
}

/** Returns a lexeme as the text of a `tsvector` or a `tsquery` has it. */
export function quote(lexeme: string): string {
  return `'${lexeme.replaceAll(/['\\]/g, "$&$&")}'`;
}
