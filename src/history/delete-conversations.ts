/** Deletes conversations in steps: other writes, and on the embedded database all calls, wait for a step to end. */
import { z } from "zod";
import { parse } from "../base/parse.ts";
import type { Caller } from "../base/caller.ts";
import type { Database, JsonObject } from "../store/database/database.ts";

/** How many conversations a step deletes at most, and about how many messages. */
const stepConversations = 100;
const stepMessages = 1_000;

/** Schema version 6 does not say whether there is more. */
const DeleteResult = z.object({ deleted: z.number(), more: z.boolean().optional() });

/** Deletes what `argument` names, and yields after each step how many conversations it deleted. Rejects as {@link Database.call} does. */
export async function* deleteConversations(
  database: Database,
  name: "chat_delete_conversations" | "chat_delete_expired",
  argument: JsonObject,
  caller: Caller,
): AsyncGenerator<number, void, undefined> {
  const bounded = { limit: stepConversations, max_messages: stepMessages, ...argument };
  for (;;) {
    const answer = await database.call(name, bounded, caller);
    const { deleted, more } = parse(DeleteResult, answer, "store_refused");
    yield deleted;
    if (more !== true && deleted < stepConversations) return;
  }
}
