/** Renders only those rows of a long list that are in view. */
import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type VirtualizerOptions,
} from "@tanstack/virtual-core";
import { useLayoutEffect, useReducer, useState } from "preact/hooks";

/** Options of `@tanstack/virtual-core`, for rows in a scrolling element. */
type ListOptions = Pick<
  VirtualizerOptions<HTMLElement, HTMLElement>,
  "count" | "getScrollElement" | "estimateSize"
> &
  Partial<VirtualizerOptions<HTMLElement, HTMLElement>>;

/**
 * Returns the rows to render (`getVirtualItems()`), their places, and the height of all (`getTotalSize()`). A
 * row whose height is not known needs `ref={list.measureElement}` and `data-index`.
 */
export function useVirtualList(options: ListOptions): Virtualizer<HTMLElement, HTMLElement> {
  const [, render] = useReducer((count: number) => count + 1, 0);
  const all = {
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    ...options,
    onChange: () => render(undefined),
  };
  const [list] = useState(() => new Virtualizer<HTMLElement, HTMLElement>(all));
  list.setOptions(all);
  const { _didMount: mount, _willUpdate: update } = list; // as the library's own adapters do
  useLayoutEffect(() => mount(), [mount]);
  useLayoutEffect(() => update());
  return list;
}
