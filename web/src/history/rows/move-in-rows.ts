/** Moves through the rows of the list by the keyboard. */
import type { ListRow } from "./group-by-day.ts";

/** How many rows a page key moves. */
const pageRows = 10;

/** Returns the index of the row that `key` moves to from the row at `index`; `undefined` for none. */
export function moveInRows(rows: readonly ListRow[], index: number, key: string): number | undefined {
  const places = rows.flatMap(({ type }, place) => (type === "conversation" ? [place] : []));
  const current = places.indexOf(index);
  const steps: Readonly<Record<string, number>> = {
    ArrowDown: current + 1,
    ArrowUp: current - 1,
    PageDown: Math.min(current + pageRows, places.length - 1),
    PageUp: Math.max(current - pageRows, 0),
    Home: 0,
    End: places.length - 1,
  };
  const next = steps[key];
  return next === undefined || next < 0 ? undefined : places[next];
}
