/** The stored items that items of a response's output stand for. */
import type { Caller } from "../../../base/caller.ts";
import type { StoredMessage } from "../../../history/history.ts";
import type { LiveTurns } from "../../../live/live-turns.ts";
import { readTurnItems } from "../resource.ts";
import { toStoredItems, type ConversationItem, type StoredItem } from "./stored-items.ts";

/**
 * Resolves with the item of a message that has `id` in the conversation, or in the output of the turn
 * that wrote the message; `undefined` if there is none, or if the turn's output has several such items.
 */
export async function findStoredItem(
  message: StoredMessage,
  id: string,
  live: LiveTurns,
  caller: Caller,
): Promise<StoredItem | undefined> {
  const stored = toStoredItems(message);
  const found = stored.find(({ item }) => item.id === id);
  if (found !== undefined || message.role !== "assistant" || message.isExtended) return found;
  const turn = await live.find(message.id, caller);
  if (turn === undefined) return undefined;
  const own = readTurnItems(turn);
  const named = own.find((item) => item.id === id);
  const contents = named && toContents(named);
  if (contents === undefined || own.filter((item) => toContents(item) === contents).length > 1)
    return undefined;
  return stored.find(({ item }) => toContents(item) === contents);
}

/** Returns what a stored item has in common with the item of a turn; `undefined` if it has nothing. */
function toContents(item: ConversationItem): string | undefined {
  switch (item.type) {
    case "message":
      return JSON.stringify(item.content.map((part) => ("text" in part ? part.text.trim() : part)));
    case "function_call":
      return JSON.stringify([item.call_id, item.name, item.arguments]);
    case "mcp_call":
      return JSON.stringify([item.server_label, item.name, item.arguments, item.output, item.error]);
    case "reasoning":
      return item.type;
    case "function_call_output":
    case "mcp_approval_request":
      return undefined;
  }
}
