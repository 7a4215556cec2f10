/** Reads the message of a reply that a turn goes on with. */
import { z } from "zod";
import { textBreak } from "../../turn/items/tool-parts.ts";
import type { Message } from "../../turn/message.ts";
import type { SavedItem } from "../../turn/turn-event.ts";
import { ToolRows } from "./tool-rows.ts";

/** The message of a reply that a turn goes on with: from the turn's end on with its own text and calls. */
export const ExtendedRow = z.object({
  id: z.string(),
  content: z.string(),
  plan: z.string().nullish().catch(null),
  tools: ToolRows,
});

/** Returns the reply that a turn goes on with, without the turn's own `answer` and calls. */
export function toExtendedReply(
  row: z.output<typeof ExtendedRow> | undefined,
  answer: string,
  items: readonly SavedItem[],
): Message | undefined {
  if (row === undefined) return undefined;
  const own = new Set(items.map((item) => (item.type === "tool-call" ? item.callId : "")));
  const added = answer.trim();
  const isWhole = added !== "" && row.content.endsWith(added);
  const text = isWhole ? row.content.slice(0, -added.length) : row.content;
  return {
    role: "assistant",
    id: row.id,
    text: isWhole && text.endsWith(textBreak) ? text.slice(0, -textBreak.length) : text,
    images: [],
    tools: row.tools?.filter(({ callId }) => !own.has(callId)),
    plan: row.plan ?? undefined,
    isAnswer: true,
  };
}
