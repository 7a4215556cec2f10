/** The words that passages of documents are found by: whole words, and groups of three letters in them. */
import { quote } from "./lexemes.ts";
import { readTokens, type Token } from "./text-words.ts";

/** The shortest word whose groups count, in characters: shorter ones have too few to tell words apart. */
const minGroupedLength = 4;
const groupLength = 3;
/** The first character of a group, which no word has. */
const groupMark = ":";
/** How many words and groups of a question count, the longest first. */
const maxQueryWords = 160;
const letters = /^\p{L}/u;
const surrogates = /[\ud800-\udfff]/;

/** How often each word occurs in a passage. */
export type WordCounts = ReadonlyMap<string, number>;

/**
 * Counts the words of a passage and the groups of three letters in them, by which inflected and compound
 * words are found, too: in any language, since stemming knows one at a time.
 */
export function countPassageWords(text: string): WordCounts {
  const counts = new Map<string, number>();
  for (const token of readTokens(text))
    for (const word of toWords(token)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/** Returns the words of a passage as a `tsvector` in which they belong to a knowledge base. */
export function toPassageVector(words: Iterable<string>, knowledgeBaseId: string): string {
  const prefix = knowledgeBaseId.slice(0, 8);
  return Array.from(words, (word) => quote(prefix + word)).join(" ");
}

/** Returns the words by which passages for a question are found, each once. */
export function toQuestionWords(question: string): readonly string[] {
  const words = Array.from(countPassageWords(question).keys());
  if (words.length <= maxQueryWords) return words;
  return words.toSorted((a, b) => b.length - a.length).slice(0, maxQueryWords);
}

/** Returns the words that a token is found by. */
function toWords({ word, kind }: Token): readonly string[] {
  // The last character of a run is in the pair before it.
  if (kind === "tail") return [];
  return kind === "word" && letters.test(word) ? [word, ...toGroups(word)] : [word];
}

function toGroups(word: string): readonly string[] {
  const characters = surrogates.test(word) ? Array.from(word) : word;
  const groups: string[] = [];
  if (characters.length < minGroupedLength) return groups;
  for (let start = 0; start + groupLength <= characters.length; start += 1) {
    const group = characters.slice(start, start + groupLength);
    groups.push(groupMark + (typeof group === "string" ? group : group.join("")));
  }
  return groups;
}
