/** Highlights blocks of code one after another, a part at a time, when the page is idle. */
import type { ComponentChild } from "preact";
import { loadPart } from "../base/later-parts.ts";

/** Longer code is shown in one colour. */
const maxLength = 30_000;
/** The longest part: one takes well under 50 ms. */
const maxChunkLength = 8000;

let last: Promise<void> = Promise.resolve();
let loading: Promise<typeof import("./highlight.ts") | undefined> | undefined;

/** Whether a block of code is highlighted. */
export function canHighlight(language: string, chunks: readonly string[]): boolean {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return language !== "" && length < maxLength && chunks.every((chunk) => chunk.length < maxChunkLength);
}

/** Calls `show` with the elements of each chunk, unless it is cancelled first by the returned function. */
export function highlightLater(
  language: string,
  chunks: readonly string[],
  show: (elements: ComponentChild[][]) => void,
): () => void {
  const isGone = new AbortController();
  void highlightChunks(language, chunks, isGone.signal).then((elements) => {
    if (elements !== undefined && !isGone.signal.aborted) show(elements);
    return undefined;
  });
  return () => isGone.abort();
}

async function highlightChunks(
  language: string,
  chunks: readonly string[],
  signal: AbortSignal,
): Promise<ComponentChild[][] | undefined> {
  const highlight = await loadHighlight();
  const done: ComponentChild[][] = [];
  for (const chunk of chunks) {
    await untilIdle();
    const elements = signal.aborted ? undefined : highlight?.(language, chunk);
    if (elements === undefined) return undefined;
    done.push(elements);
  }
  return done;
}

async function loadHighlight(): Promise<typeof import("./highlight.ts").highlight | undefined> {
  loading ??= loadPart(async () => await import("./highlight.ts"));
  const part = await loading;
  if (part === undefined) loading = undefined; // the next block tries again
  return part?.highlight;
}

/** Waits for an idle period that no other block has. */
function untilIdle(): Promise<void> {
  last = last.then(
    () =>
      new Promise((resolve) => {
        if ("requestIdleCallback" in globalThis) requestIdleCallback(() => resolve(), { timeout: 2000 });
        else setTimeout(resolve, 50);
      }),
  );
  return last;
}
