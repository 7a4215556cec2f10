/**
 * Joins found passages that follow each other, and finds what stands around them: a text that is cut in the
 * middle is understood badly.
 */
import type { FoundSource, TextAround } from "../../turn/sources/grounding.ts";
import type { FoundPassage, StoredPassage } from "../document.ts";

/** Found passages that follow each other on a page, or in a document without pages. */
export interface PassageRun {
  /** In the order of the text. */
  readonly passages: readonly FoundPassage[];
  /** The one that fits best: the source is cited by its place. */
  readonly best: FoundPassage;
}

/** The longest text of several passages, in UTF-16 units: a longer one would be a vague source. */
const maxRunCharacters = 4_000;
/** How many passages around a run are read, on each side. */
const reach = 8;
/** A document of at most so many passages is read whole: there may be room for all of it. */
const maxWholePassages = 24;

/** Joins passages, the best first, into runs, the one with the best passage first. */
export function toRuns(found: readonly FoundPassage[]): readonly PassageRun[] {
  const left = new Map(found.map((passage) => [toPlace(passage.documentId, passage.ordinal), passage]));
  const runs: PassageRun[] = [];
  for (const best of found) {
    if (!left.delete(toPlace(best.documentId, best.ordinal))) continue;
    let passages: readonly FoundPassage[] = [best];
    let length = best.text.length;
    const take = (ordinal: number): FoundPassage | undefined => {
      const next = left.get(toPlace(best.documentId, ordinal));
      if (next === undefined || next.page !== best.page) return undefined;
      if (length + next.text.length > maxRunCharacters) return undefined;
      left.delete(toPlace(best.documentId, ordinal));
      length += next.text.length;
      return next;
    };
    for (let isGrowing = true; isGrowing;) {
      const after = take(toLast(passages) + 1);
      const before = take(toFirst(passages) - 1);
      isGrowing = after !== undefined || before !== undefined;
      passages = [...(before ? [before] : []), ...passages, ...(after ? [after] : [])];
    }
    runs.push({ passages, best });
  }
  return runs;
}

/**
 * Returns which passages of its document to read, to know those around a run, or all of a small document and
 * that it has no others.
 */
export function toWindow({ passages }: PassageRun): { readonly first: number; readonly limit: number } {
  const end = toLast(passages) + reach + 1;
  if (toFirst(passages) < maxWholePassages) return { first: 0, limit: Math.max(end, maxWholePassages + 1) };
  const first = toFirst(passages) - reach;
  return { first, limit: end - first };
}

/** Passages of a document that follow each other. */
export interface PassageWindow {
  readonly passages: readonly StoredPassage[];
  /** Whether these are all of the document's. */
  readonly isWhole: boolean;
}

/**
 * Returns a run as a source.
 * @param runs all runs of its document; what stands between two is divided between them.
 */
export function toSource(
  run: PassageRun,
  runs: readonly PassageRun[],
  window: PassageWindow | undefined,
): FoundSource {
  const { best, passages } = run;
  const { documentId, documentName, ordinal, page, heading } = best;
  return {
    key: `${documentId}/${ordinal}`,
    kind: "document",
    title: documentName,
    documentId,
    page,
    heading,
    text: passages.map(({ text }) => text).join(""),
    quote: best.text,
    around: window && toAround(run, runs, window),
  };
}

function toAround(
  run: PassageRun,
  runs: readonly PassageRun[],
  { passages, isWhole }: PassageWindow,
): TextAround {
  const [first, last] = [toFirst(run.passages), toLast(run.passages)];
  const others = runs.filter((other) => other !== run);
  const lastBefore = Math.max(
    -1,
    ...others.map((other) => toLast(other.passages)).filter((one) => one < first),
  );
  const firstAfter = Math.min(
    Infinity,
    ...others.map((other) => toFirst(other.passages)).filter((one) => one > last),
  );
  // The first half of what stands between two runs, and the middle, belongs to the one before it.
  const from = lastBefore === -1 ? 0 : lastBefore + 1 + Math.ceil((first - lastBefore - 1) / 2);
  const to = firstAfter === Infinity ? Infinity : last + Math.ceil((firstAfter - last - 1) / 2);
  const byOrdinal = new Map(passages.map((passage) => [passage.ordinal, passage]));
  return {
    before: takeWhile(byOrdinal, first - 1, -1, from),
    after: takeWhile(byOrdinal, last + 1, 1, to),
    isWhole,
  };
}

/** Returns the passages from `ordinal` on, in steps, up to `end` or the first that was not read. */
function takeWhile(
  passages: ReadonlyMap<number, StoredPassage>,
  ordinal: number,
  step: 1 | -1,
  end: number,
): readonly StoredPassage[] {
  const taken: StoredPassage[] = [];
  for (let next = ordinal; (end - next) * step >= 0; next += step) {
    const passage = passages.get(next);
    if (passage === undefined) break;
    taken.push(passage);
  }
  return taken;
}

function toPlace(documentId: string, ordinal: number): string {
  return `${documentId}/${ordinal}`;
}

function toFirst(passages: readonly StoredPassage[]): number {
  return passages[0]?.ordinal ?? 0;
}

function toLast(passages: readonly StoredPassage[]): number {
  return passages.at(-1)?.ordinal ?? 0;
}
