/** Reads rows for tests: through the same functions as the server, as the rows' user. */
import { z } from "zod";
import { service, type Database } from "../../../src/store/database/database.ts";

const Message = z.object({
  id: z.string(),
  parent_id: z.string().nullable(),
  role: z.string(),
  content: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()).nullable(),
  status: z.string().nullable(),
  created_at: z.string(),
});
const Conversation = z.object({ id: z.string(), title: z.string(), leaf_id: z.string().nullable() });

/** A stored message. */
export type MessageRow = z.infer<typeof Message>;

/** Returns the messages of a conversation as it is shown to `userId`, or all of its tree. */
export async function readMessages(
  database: Database | undefined,
  conversationId: string,
  userId: string,
  isTree = false,
): Promise<MessageRow[]> {
  if (database === undefined) throw new Error("this store has no database");
  const rows = await database.call(
    "chat_list_messages",
    { conversation_id: conversationId, ...(isTree && { is_tree: true }) },
    { ...service, userId },
  );
  return z.array(Message).parse(rows);
}

/** Returns the newest 100 conversations of `userId`. */
export async function readConversations(
  database: Database | undefined,
  userId: string,
): Promise<z.infer<typeof Conversation>[]> {
  if (database === undefined) throw new Error("this store has no database");
  return z
    .array(Conversation)
    .parse(await database.call("chat_list_conversations", { limit: 100 }, { ...service, userId }));
}
