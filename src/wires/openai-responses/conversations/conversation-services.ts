/** The services of the routes of conversations, and the ids in their paths. */
import { AppError } from "../../../base/errors.ts";
import type { Clock } from "../../../base/clock.ts";
import type { History } from "../../../history/history.ts";
import type { PathRows } from "../../../history/path-rows.ts";
import { storeErrors } from "../../../http/route.ts";
import type { LiveTurns } from "../../../live/live-turns.ts";
import type { AddedServices } from "./added-messages.ts";
import { quoteId } from "../../../http/request-fields.ts";
import { parseConversationId, parseResponseId } from "../ids.ts";
import { toMissingResponse } from "../resource.ts";

/** The services of these routes. */
export interface ConversationServices extends AddedServices {
  /** `undefined` if nothing is stored. */
  readonly stored: { readonly history: History; readonly paths: PathRows } | undefined;
  readonly live: LiveTurns;
  readonly clock: Clock;
}

/** Errors of all these routes. */
export const commonErrors = ["history_off", ...storeErrors] as const;
/** Errors of routes about one conversation. */
export const conversationErrors = ["conversation_not_found", ...commonErrors] as const;
/** Errors of routes that add messages. */
export const addErrors = ["turn_running", "message_too_large", "file_not_found", "storage_full"] as const;

/** Returns the rows. @throws AppError `history_off` without a store. */
export function storedIn({ stored }: ConversationServices): NonNullable<ConversationServices["stored"]> {
  if (stored === undefined) throw new AppError("history_off", "nothing is stored");
  return stored;
}

/** Returns the conversation that a path names. @throws AppError `conversation_not_found`. */
export function parseConversation(id: string): string {
  return parseConversationId(id) ?? refuseConversation(id);
}

/** Returns the turn of the response that a path names. @throws AppError `not_found`. */
export function parseResponse(id: string): string {
  return parseResponseId(id)?.turnId ?? refuseResponse(id);
}

/** @throws AppError `conversation_not_found`, always. */
export function refuseConversation(id: string): never {
  const detail = `Conversation with id ${quoteId(id)} not found.`;
  throw new AppError("conversation_not_found", detail, { detail });
}

/** @throws AppError `not_found`, always. */
export function refuseResponse(id: string): never {
  throw toMissingResponse(id);
}
