/** The ids of the Responses API: a prefix, and the id of a turn, a message or a conversation. */

/** A response: one leg of a turn. A turn that waits for its user goes on in its next leg. */
export interface ResponsePlace {
  readonly turnId: string;
  /** Counted from 0. */
  readonly leg: number;
}

const uuid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const responseId = new RegExp(`^resp_(${uuid})(?:_([1-9]\\d{0,5}))?$`, "i");
const itemId = new RegExp(`^(rs|msg|fc|mcp|mcpr)_(${uuid})(?:_s?(\\d{1,6}))?$`, "i");
const conversationId = new RegExp(`^conv_(${uuid})$`, "i");

/** Returns the id of a response: `resp_<turn>`, with `_<leg>` after a wait. */
export function toResponseId({ turnId, leg }: ResponsePlace): string {
  return leg === 0 ? `resp_${turnId}` : `resp_${turnId}_${leg}`;
}

/** Returns the place that `toResponseId` has named; `undefined` for any other id. */
export function parseResponseId(id: string): ResponsePlace | undefined {
  const [, turnId, leg = "0"] = responseId.exec(id) ?? [];
  return turnId === undefined ? undefined : { turnId: turnId.toLowerCase(), leg: Number(leg) };
}

/** The prefixes of items: a plan, a message, a call of the client's, one of the server's, its approval. */
export type ItemPrefix = "rs" | "msg" | "fc" | "mcp" | "mcpr";

/** An item of a turn's output, or a stored message. */
export interface ItemPlace {
  readonly prefix: ItemPrefix;
  /** The turn's id; of a message item without a number also that of any stored message. */
  readonly id: string;
  /**
   * The item's number in its turn's output or its message; `undefined` for the first plan and the first
   * message.
   */
  readonly number: number | undefined;
}

/** Returns the id of an item. */
export function toItemId({ prefix, id, number }: ItemPlace): string {
  return number === undefined ? `${prefix}_${id}` : `${prefix}_${id}_${number}`;
}

/**
 * Returns the id of an item of a stored message. These have numbers of their own: a turn also counts the
 * items that only its output has, and a reply may hold those of several turns.
 */
export function toStoredItemId({ prefix, id, number }: ItemPlace): string {
  return number === undefined ? `${prefix}_${id}` : `${prefix}_${id}_s${number}`;
}

/** Returns the place that `toItemId` or `toStoredItemId` has named; `undefined` for any other id. */
export function parseItemId(id: string): ItemPlace | undefined {
  const [, prefix, named, number] = itemId.exec(id) ?? [];
  if (prefix === undefined || named === undefined) return undefined;
  return {
    prefix: toPrefix(prefix.toLowerCase()),
    id: named.toLowerCase(),
    number: number === undefined ? undefined : Number(number),
  };
}

function toPrefix(name: string): ItemPrefix {
  switch (name) {
    case "rs":
    case "fc":
    case "mcp":
    case "mcpr":
      return name;
    default:
      return "msg";
  }
}

/** Returns the id of a conversation: `conv_<conversation>`. */
export function toConversationId(id: string): string {
  return `conv_${id}`;
}

/** Returns the conversation that `toConversationId` has named; `undefined` for any other id. */
export function parseConversationId(id: string): string | undefined {
  return conversationId.exec(id)?.[1]?.toLowerCase();
}
