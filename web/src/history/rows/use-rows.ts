/** Which rows of the list are rendered, which one the tab key reaches, and which one has the focus. */
import { defaultRangeExtractor, type Range } from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { address } from "../../base/address.ts";
import { useStore } from "../../base/use-store.ts";
import { useVirtualList } from "../../base/use-virtual-list.ts";
import { language, strings } from "../../strings/strings.ts";
import { useHistory } from "../history-context.ts";
import { groupByDay, type ListRow } from "./group-by-day.ts";

/** How many rows before its end the list loads more. */
const loadAhead = 30;

const rowHeightPx = 36;
const headingHeightPx = 34;

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
    estimateSize: (index) => (rows[index]?.type === "heading" ? headingHeightPx : rowHeightPx),
    getItemKey: (index) => rows[index]?.key ?? index,
    rangeExtractor: (range) => withIndex(range, activeIndex),
    overscan: 8,
  });
  const items = virtual.getVirtualItems();
  const lastIndex = virtual.range?.endIndex ?? 0;
  useEffect(() => {
    if (hasMore && lastIndex >= rows.length - loadAhead) list.loadMore();
  }, [hasMore, lastIndex, rows, list]);
  const focusRow = useRowFocus(scroller, rows, (index, id) => {
    setActiveId(id);
    virtual.scrollToIndex(index);
  });
  return { rows, items, virtual, openId, activeIndex, activate: setActiveId, focusRow };
}

/** Returns a function that moves the focus to a row, which `reveal` brings into view. */
function useRowFocus(
  scroller: RefObject<HTMLElement | null>,
  rows: readonly ListRow[],
  reveal: (index: number, id: string) => void,
): (index: number) => void {
  const wanted = useRef<string>(undefined);
  useEffect(() => {
    if (wanted.current === undefined) return;
    const link = scroller.current?.querySelector<HTMLElement>(`[data-id="${wanted.current}"] a`);
    if (link === null || link === undefined) return; // it is rendered after scrolling
    wanted.current = undefined;
    link.focus({ preventScroll: true });
  });
  return (index) => {
    const row = rows[index];
    if (row?.type !== "conversation") return;
    wanted.current = row.key;
    reveal(index, row.key);
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
