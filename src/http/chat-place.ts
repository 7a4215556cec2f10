/** Chats as clients name them: by ids of their own, which always lead to the same conversation. */
import { v5 as createNamedId } from "uuid";
import { z } from "zod";
import { toStorable } from "../turn/message.ts";
import type { Continuation } from "../turn/ports.ts";
import type { ChatPlace } from "../turn/records.ts";
import { Uuid } from "./request-fields.ts";

/** The namespace of conversations whose user is unknown. */
const unknownUser = "6a1c0d0e-2f0b-4d52-9d8e-0f7f7f6b3c11";
/** The longest id that a client may give a message, in UTF-16 code units. */
const maxIdLength = 255;

/** A chat's id, chosen by its client. */
export const ChatId = z
  .string()
  .min(1, "must not be empty")
  .max(maxIdLength, `must be at most ${maxIdLength} characters`);

/** Returns the conversation of a user's chat, unless its id belongs to another user. */
export function toChatPlace(chatId: string, userId: string | undefined): ChatPlace {
  // A UUID names its conversation itself.
  const { data } = Uuid.safeParse(chatId);
  return {
    conversationId: data ?? toUserNamedId(chatId, userId),
    chatId: data === undefined ? toStorable(chatId) : undefined,
  };
}

/** Returns the id that a user's `name` stands for: the same for the same user and name. */
export function toUserNamedId(name: string, userId: string | undefined): string {
  // As bytes, since not every user id is a UUID of a version that the standard knows.
  const namespace = Buffer.from((userId ?? unknownUser).replaceAll("-", ""), "hex");
  return createNamedId(toStorable(name), namespace);
}

/** Returns the client's id of a message; `undefined` if it cannot be one. */
export function toClientId(id: unknown): string | undefined {
  if (typeof id !== "string" || id === "" || id.length > maxIdLength) return undefined;
  return toStorable(id);
}

/** New messages are added below the end of the path that is shown. */
export const leafContinuation: Continuation = {
  mode: "leaf",
  isAgain: false,
  replyId: undefined,
  mustExist: true,
  needsStore: true,
};
