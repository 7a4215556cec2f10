/** The items of a turn: between its texts, and those that wait for its user. */
import type { BodyReader } from "../body.ts";
import type { BodyEvent, PendingApproval, Place, SavedItem } from "../turn-event.ts";

/**
 * Returns the events that `text` adds to those of `reader`, with `items` at their places; `rest` are the
 * items that come after text that is not there yet.
 */
export function interleave(
  reader: BodyReader,
  text: string,
  items: readonly SavedItem[],
): { readonly events: readonly (BodyEvent | SavedItem)[]; readonly rest: readonly SavedItem[] } {
  if (items.length === 0) return { events: reader.read(text), rest: [] };
  const bytes = Buffer.from(text);
  const events: (BodyEvent | SavedItem)[] = [];
  let start = 0;
  for (const [index, item] of items.entries()) {
    const end = start + Math.max(0, item.position - reader.position);
    if (end > bytes.length) return finish(items.slice(index));
    events.push(...reader.read(bytes.subarray(start, end).toString()), item);
    start = end;
  }
  return finish([]);

  function finish(rest: readonly SavedItem[]): ReturnType<typeof interleave> {
    events.push(...reader.read(bytes.subarray(start).toString()));
    return { events, rest };
  }
}

/** Returns the calls among `items` that still wait for approval. */
export function findPendingApprovals(items: readonly SavedItem[]): readonly PendingApproval[] {
  const settled = new Set(items.map((item) => (item.type === "approval-response" ? item.approvalId : "")));
  return items
    .filter((item) => item.type === "approval-request")
    .filter(({ approvalId }) => !settled.has(approvalId))
    .map(({ approvalId, callId, expiresAt }) => ({ approvalId, callId, expiresAt }));
}

/** Returns the ids of the calls among `items` that needed approval and did not get it: they never ran. */
export function findUnapprovedCalls(items: readonly SavedItem[]): ReadonlySet<string> {
  const calls = new Set<string>();
  for (const item of items) {
    if (item.type === "approval-request") calls.add(item.callId);
    if (item.type === "approval-response" && item.decision === "approved") calls.delete(item.callId);
  }
  return calls;
}

/**
 * Adds `item` to `items`: a piece of reasoning joins the one that ends where it starts. It joins none over a
 * gap, since readers find the start of a piece by its text and its end.
 */
export function pushJoined(items: SavedItem[], item: SavedItem): void {
  const last = items.at(-1);
  const isNext =
    item.type === "reasoning-delta" &&
    last?.type === item.type &&
    last.position === item.position &&
    last.ordinal === item.ordinal - Buffer.byteLength(item.text);
  if (isNext) items[items.length - 1] = { ...item, text: last.text + item.text };
  else items.push(item);
}

/**
 * Returns the items after `after`, each unit once: a piece of reasoning may hold text that another one holds
 * too, since one that was perhaps not stored is sent again with more after it.
 * @param items sorted by their places, which are the ends of their texts.
 */
export function cutOverlaps(items: readonly SavedItem[], after?: Place): readonly SavedItem[] {
  let known: Place = after ?? { position: 0, ordinal: 0 };
  return items.flatMap((item) => {
    const isAtKnown = item.position === known.position;
    if (item.position < known.position || (isAtKnown && item.ordinal <= known.ordinal)) return [];
    const knownOrdinal = isAtKnown ? known.ordinal : 0;
    known = item;
    return item.type === "reasoning-delta" ? { ...item, text: cutText(item, knownOrdinal) } : item;
  });
}

/** Returns the text of a piece of reasoning after `ordinal`, from the start of a whole character. */
function cutText({ text, ordinal: end }: SavedItem & { readonly text: string }, ordinal: number): string {
  const bytes = Buffer.from(text);
  let start = Math.max(0, ordinal - (end - bytes.length));
  while (start > 0 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  return start === 0 ? text : bytes.subarray(start).toString();
}
