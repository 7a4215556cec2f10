/** The begin and the end of a turn as the journal stores them: JSON, without the access token. */
import { z } from "zod";
import { countText, joinJson, toJsonText, type JsonText } from "../../base/json/long-json.ts";
import { optional, parse } from "../../base/parse.ts";
import { StoredImage } from "../../turn/attachments/stored-image.ts";
import type { Estimate } from "../../turn/limits.ts";
import { roles, type Image } from "../../turn/message.ts";
import { continuationModes, type TurnBegin } from "../../turn/ports.ts";
import { StoredRequest } from "../../turn/items/stored-request.ts";
import type { JsonObject } from "../../base/json.ts";
import { ToolRows } from "../turns/tool-rows.ts";

const Text = optional(z.string());

/** The estimate of a begin that an earlier version wrote. */
const noEstimate: Estimate = { inputTokens: 0, outputTokens: 0 };

const QueuedMessage = z.object({
  role: z.enum(roles),
  imagesCount: z.number(),
  images: optional(z.array(StoredImage)),
  content: z.string(),
  plan: Text,
  sentId: Text,
  clientId: Text,
  after: Text,
  tools: ToolRows,
  toolsDigest: Text,
  contentDigests: z.array(z.string()),
  pathDigest: z.string(),
  earlierDigests: optional(z.array(z.string())),
  earlierToolsDigest: Text,
});

const QueuedBegin = z.object({
  turnId: z.string(),
  conversationId: z.string(),
  isConversationNamed: z.boolean(),
  mustOwn: z.boolean().default(false),
  userId: Text,
  title: z.string(),
  path: z.array(QueuedMessage),
  extendsReply: optional(QueuedMessage.extend({ earlierDigests: z.array(z.string()) })),
  anchor: Text,
  continues: optional(
    z.object({
      mode: z.enum(continuationModes),
      isAgain: z.boolean(),
      replyId: Text,
      mustExist: z.boolean(),
      needsStore: z.boolean(),
    }),
  ),
  chatId: Text,
  startedAt: z.coerce.date(),
  model: z.string(),
  idempotencyKey: Text,
  requestDigest: Text,
  request: StoredRequest,
  estimate: z.object({ inputTokens: z.number(), outputTokens: z.number() }).default(noEstimate),
  price: optional(z.object({ input: z.number(), output: z.number() })),
  subject: Text,
  keyName: Text,
});

/**
 * Returns `turn` as JSON, with the bytes of its attachments.
 * @param isStored whether the bytes of an attachment are in the database already.
 */
export function toQueuedBegin(
  { caller, allowance, ...turn }: TurnBegin,
  isStored: (id: string) => boolean = () => false,
): JsonText {
  const { subject, key } = allowance ?? {};
  const path = turn.path.map((message) =>
    message.images === undefined ? message : { ...message, images: toQueuedImages(message.images, isStored) },
  );
  const queued = {
    ...turn,
    path,
    subject,
    keyName: key?.name,
    requestId: undefined,
    wire: undefined,
    traceId: undefined,
    userId: caller.userId,
  };
  return toJsonText(queued, countText(queued));
}

function toQueuedImages(images: readonly Image[], isStored: (id: string) => boolean): readonly Image[] {
  return images.flatMap(({ mimeType, data, name, attachment }) => {
    if (attachment === undefined) return [];
    return [{ mimeType, data: isStored(attachment.id) ? "" : data, name, attachment }];
  });
}

/** Returns the turn that {@link toQueuedBegin} was given. @throws AppError `write_rejected`. */
export function parseQueuedBegin(text: JsonText): TurnBegin {
  const value: unknown = JSON.parse(joinJson(text));
  const { userId, subject, keyName, ...turn } = parse(QueuedBegin, value, "write_rejected");
  return {
    ...turn,
    mayBeRefused: false,
    // It has begun, and is no longer refused; but its tokens count against its user.
    allowance:
      subject === undefined
        ? undefined
        : {
            subject,
            over: undefined,
            concurrentTurns: undefined,
            tokensPerDay: undefined,
            ...(keyName !== undefined && { key: { name: keyName, costPerDay: undefined } }),
          },
    requestId: undefined,
    caller: { userId, accessToken: undefined },
  };
}

const QueuedEnd = z.object({ turn: z.object({ ended_at: z.coerce.date() }) });

/**
 * Returns the argument of `chat_end_turn` in `text`, and the time the turn ended. @throws AppError
 * `write_rejected`.
 */
export function parseQueuedEnd(text: string): { readonly argument: JsonObject; readonly endedAt: Date } {
  const argument: JsonObject = JSON.parse(text);
  return { argument, endedAt: parse(QueuedEnd, argument, "write_rejected").turn.ended_at };
}
