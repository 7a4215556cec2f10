/** Which rows of the list are rendered, which one the tab key reaches, and which one has the focus. */
import { defaultRangeExtractor, type Range } from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { address } from "../../base/address.ts";
import { useStore } from "../../base/use-store.ts";
import { useVirtualList } from "../../base/use-virtual-list.ts";
import { language, strings } from "../../strings/strings.ts";
import { useHistory } from "../history-context.ts";
import { groupByDay, type ListRow } from "./group-by-day.ts";
import { moveInRows } from "./move-in-rows.ts";

/** How many rows before its end the list loads more. */
const loadAhead = 30;

const rowHeightPx = 36;
const headingHeightPx = 34;
/** The height of two lines of a hit. */
const excerptHeightPx = 38;

/** Returns the rows in `scroller`, of which only those in view are rendered. */
export function useRows(scroller: RefObject<HTMLElement | null>) {
  const { list } = useHistory();
  const conversations = useStore(list, (state) => state.conversations);
  const hasMore = useStore(list, (state) => state.hasMore);
  const openId = useStore(address, (id) => id);
  const { previousWeek } = strings.history;
  const rows = useMemo(
    () => groupByDay(conversations, new Date(), { language, previousWeek }),
    [conversations, language, previousWeek],
  );
  const [activeId, setActiveId] = useState<string>();
  const activeIndex = findActive(rows, activeId, openId);
  const virtual = useVirtualList({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => estimateHeight(rows[index]),
    getItemKey: (index) => rows[index]?.key ?? index,
    rangeExtractor: (range) => withIndex(range, activeIndex),
    overscan: 8,
  });
  const items = virtual.getVirtualItems();
  const lastIndex = virtual.range?.endIndex ?? 0;
  useEffect(() => {
    if (hasMore && lastIndex >= rows.length - loadAhead) list.loadMore();
  }, [hasMore, lastIndex, rows, list]);
  const { focusRow, readWanted } = useRowFocus(scroller, rows, (index, id) => {
    setActiveId(id);
    virtual.scrollToIndex(index);
  });
  /** Moves by a key from where the key before leads, even if that is not rendered yet. */
  const moveFocus = (key: string): boolean => {
    const next = moveInRows(rows, readWanted() ?? activeIndex, key);
    if (next !== undefined) focusRow(next);
    return next !== undefined;
  };
  return { rows, items, virtual, openId, activeIndex, activate: setActiveId, focusRow, moveFocus };
}

function estimateHeight(row: ListRow | undefined): number {
  if (row?.type !== "conversation") return headingHeightPx;
  return rowHeightPx + (row.conversation.hit ? excerptHeightPx : 0);
}

/** Moves the focus to a row, which `reveal` brings into view; and tells which row is about to get it. */
function useRowFocus(
  scroller: RefObject<HTMLElement | null>,
  rows: readonly ListRow[],
  reveal: (index: number, id: string) => void,
): { readonly focusRow: (index: number) => void; readonly readWanted: () => number | undefined } {
  const wanted = useRef<string>(undefined);
  // Before the next key: a row that leaves the list would take the focus with it.
  useLayoutEffect(() => {
    if (wanted.current === undefined) return;
    const link = scroller.current?.querySelector<HTMLElement>(`[data-id="${wanted.current}"] a`);
    if (link === null || link === undefined) return; // it is rendered after scrolling
    wanted.current = undefined;
    link.focus({ preventScroll: true });
  });
  return {
    focusRow: (index) => {
      const row = rows[index];
      if (row?.type !== "conversation") return;
      wanted.current = row.key;
      reveal(index, row.key);
    },
    readWanted: () => {
      const index = rows.findIndex(({ key }) => key === wanted.current);
      return index < 0 ? undefined : index;
    },
  };
}

/** Returns the row that the tab key reaches: the last one used, or the open one, or the first. */
function findActive(
  rows: readonly ListRow[],
  activeId: string | undefined,
  openId: string | undefined,
): number {
  for (const id of [activeId, openId]) {
    const index = id === undefined ? -1 : rows.findIndex(({ key }) => key === id);
    if (index >= 0) return index;
  }
  return rows.findIndex(({ type }) => type === "conversation");
}

/** The active row stays rendered, so that it keeps the focus while the list scrolls. */
function withIndex(range: Range, index: number): number[] {
  const indexes = defaultRangeExtractor(range);
  if (index < 0 || index >= range.count || indexes.includes(index)) return indexes;
  return [...indexes, index].toSorted((a, b) => a - b);
}
