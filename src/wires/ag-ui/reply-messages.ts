/** The messages of a reply on this wire: one for each step with tools, and one for the rest. */
import type { Message } from "../../turn/message.ts";

/** Returns the id of the message with a number, from 1, of the reply `id`: for the first its own. */
export function toMessageId(id: string, number: number): string {
  return number === 1 ? id : `${id}-${number}`;
}

/** Returns how many messages a reply has that another turn goes on with, after the results of its tools. */
export function countMessages(reply: Message | undefined): number {
  return new Set(reply?.tools?.map(({ step }) => step)).size;
}
