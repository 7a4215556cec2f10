/** Two plain rankings of passages, for comparison: BM25 over words and trigrams, and Postgres' own search. */
import { z } from "zod";
import type { StoreHarness } from "../../test/support/databases/store-harness.ts";

/** The usual values of BM25. */
const repetition = 1.2;
const lengthWeight = 0.75;

const segmenter = new Intl.Segmenter(undefined, { granularity: "word" });

/** Returns the texts for each question, the best first: at most `limit` of them, none that shares no word. */
export function rankByBm25(
  texts: readonly string[],
  questions: readonly string[],
  limit: number,
): readonly (readonly string[])[] {
  const passages = texts.map((text) => ({ text, counts: countAll(text) }));
  const lengths = passages.map(({ counts }) => sum(counts.values()));
  const meanLength = sum(lengths) / texts.length;
  const frequencies = new Map<string, number>();
  for (const { counts } of passages)
    for (const word of counts.keys()) frequencies.set(word, (frequencies.get(word) ?? 0) + 1);
  const toScore = (words: readonly string[], index: number): number => {
    const damping = repetition * (1 - lengthWeight + (lengthWeight * (lengths[index] ?? 0)) / meanLength);
    return sum(
      words.map((word) => {
        const times = passages[index]?.counts.get(word) ?? 0;
        const frequency = frequencies.get(word) ?? 0;
        const rarity = Math.log(1 + (texts.length - frequency + 0.5) / (frequency + 0.5));
        return (rarity * times * (repetition + 1)) / (times + damping);
      }),
    );
  };
  return questions.map((question) => {
    const words = Array.from(countAll(question).keys());
    return passages
      .map(({ text }, index) => ({ text, score: toScore(words, index) }))
      .filter(({ score }) => score > 0)
      .toSorted((a, b) => b.score - a.score)
      .slice(0, limit)
      .map(({ text }) => text);
  });
}

/** Counts the words of the segmenter, and the trigrams of those with more than three letters. */
function countAll(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  const add = (word: string): void => void counts.set(word, (counts.get(word) ?? 0) + 1);
  for (const { segment, isWordLike } of segmenter.segment(text.normalize("NFKC").toLowerCase())) {
    if (isWordLike !== true) continue;
    add(segment);
    const characters = Array.from(segment);
    if (characters.length <= 3) continue;
    for (let start = 0; start + 3 <= characters.length; start += 1)
      add(`:${characters.slice(start, start + 3).join("")}`);
  }
  return counts;
}

/**
 * Resolves with the texts for each question, the best first, by the configuration `simple`: any word of the
 * question, ranked by `ts_rank_cd`.
 */
export async function rankBySimple(
  harness: StoreHarness,
  texts: readonly string[],
  questions: readonly string[],
  limit: number,
): Promise<readonly (readonly string[])[]> {
  const toArray = (list: readonly string[]): string =>
    `array(select jsonb_array_elements_text($json$${JSON.stringify(list.map((text) => text.toLowerCase()))}$json$))`;
  const [row] = await harness.sql(`
    with texts as materialized (
      select number, to_tsvector('simple', text) as words
        from unnest(${toArray(texts)}) with ordinality as t (text, number)
    ), questions as (
      select number, (select string_agg(quote_literal(lexeme), ' | ')::tsquery
          from unnest(to_tsvector('simple', text))) as query
        from unnest(${toArray(questions)}) with ordinality as q (text, number)
    )
    select jsonb_agg((
        select coalesce(jsonb_agg(f.number - 1 order by f.rank desc, f.number), '[]') from (
          select t.number, ts_rank_cd(t.words, q.query) as rank from texts t where t.words @@ q.query
            order by rank desc, t.number limit ${limit}) f)
        order by q.number) as found
      from questions q`);
  const found = z.array(z.array(z.number())).parse(row?.["found"]);
  return found.map((numbers) => numbers.map((number) => texts[number] ?? ""));
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
