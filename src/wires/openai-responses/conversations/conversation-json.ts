/** Conversations in OpenAI's format. https://platform.openai.com/docs/api-reference/conversations/object */
import { z } from "zod";
import { schemaOf } from "../../../http/description/response-schema.ts";
import type { Conversation } from "../../../history/history.ts";
import { toConversationId } from "../ids.ts";

/** A conversation. */
export interface ConversationObject {
  readonly id: string;
  readonly object: "conversation";
  /** In seconds. */
  readonly created_at: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The schema of {@link ConversationObject}. */
export const ConversationObjectSchema = schemaOf<ConversationObject>()("ConversationObject", () =>
  z.object({
    id: z.string().describe("`conv_` and the conversation's id."),
    object: z.literal("conversation"),
    created_at: z.int().describe("Unix time in seconds."),
    metadata: z.record(z.string(), z.string()),
  }),
);

/** Returns a conversation as OpenAI's clients read it: of its metadata only texts. */
export function toConversationObject({ id, createdAt, metadata }: Conversation): ConversationObject {
  return {
    id: toConversationId(id),
    object: "conversation",
    created_at: Math.floor(Date.parse(createdAt) / 1_000),
    metadata: Object.fromEntries(
      Object.entries(metadata).flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])),
    ),
  };
}
