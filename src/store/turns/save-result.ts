/** The results of saving a path of messages. */
import { z } from "zod";
import { toMicros, toMoney } from "../../base/money.ts";
import { limitNames, type DailyLimit, type LimitLeft, type LimitName } from "../../turn/limits.ts";
import type { Digest } from "../../turn/message-tree.ts";
import { alignStart } from "../../turn/context/path-cut.ts";
import { roles, type Message } from "../../turn/message.ts";
import { AttachmentList, toStoredImages } from "../attachments/attachment-list.ts";
import { ToolRows } from "./tool-rows.ts";

/** The ids of the attachments of a path. */
interface AttachmentState {
  /** A message holds them, and their bytes are not stored. */
  readonly missing: readonly string[];
  readonly stored: readonly string[];
}

/** The result of saving a path: saved, or the reason why nothing was written. */
export type SaveResult =
  | {
      readonly type: "saved";
      readonly conversationId: string;
      /** The ids of messages that were added without a turn. */
      readonly messageIds?: readonly string[] | undefined;
      /** The messages before the path of a turn that its begin has placed. */
      readonly history?: readonly Message[] | undefined;
      /** The attachments of the path whose bytes are missing, or stored; absent if it has none. */
      readonly attachments?: AttachmentState | undefined;
      /** The rest of the limits per day that the turn has; absent if it has none. */
      readonly left?: readonly LimitLeft[] | undefined;
    }
  /** The conversation was deleted after the turn began. */
  | { readonly type: "deleted" }
  /** Its user would have more bytes in attachments than allowed. */
  | { readonly type: "full" }
  | Refusal;

/** Why a turn could not begin. */
export type Refusal =
  /** The turn's key belongs to another turn of its user. */
  | { readonly type: "taken"; readonly turnId: string; readonly requestDigest: Digest | undefined }
  /** The turn's id belongs to another turn. */
  | { readonly type: "exists" }
  /** It continues a leaf that this turn is still answering, or must not begin beside these, newest first. */
  | { readonly type: "running"; readonly turnIds: readonly [string, ...string[]] }
  /** The message to continue does not exist. */
  | { readonly type: "missing" }
  /** The named conversation belongs to another user. */
  | { readonly type: "foreign" }
  /** Its user is over this limit; for tokens, and for costs in millionths, with so much left today. */
  | {
      readonly type: "limited";
      readonly limit: LimitName;
      readonly tokensLeft: number | undefined;
      readonly microsLeft?: number | undefined;
    };

/** A cost as text, in millionths of the currency. */
const Micros = z.string().transform((cost) => toMicros(toMoney(cost)));

const RefusalResult = z.union([
  z
    .object({ taken: z.object({ turn_id: z.string(), request_digest: z.string().nullable() }) })
    .transform(({ taken }): Refusal => {
      return { type: "taken", turnId: taken.turn_id, requestDigest: taken.request_digest ?? undefined };
    }),
  z.object({ exists: z.literal(true) }).transform((): Refusal => ({ type: "exists" })),
  z
    .object({ running: z.string(), turns: z.array(z.string()).optional() })
    .transform(({ running, turns = [] }): Refusal => {
      return { type: "running", turnIds: [running, ...turns.filter((id) => id !== running)] };
    }),
  z.object({ missing_path: z.literal(true) }).transform((): Refusal => ({ type: "missing" })),
  z.object({ foreign: z.literal(true) }).transform((): Refusal => ({ type: "foreign" })),
  z
    .object({
      limited: z.enum(limitNames),
      tokens_left: z.number().optional(),
      cost_left: Micros.optional(),
    })
    .transform(({ limited, tokens_left: tokensLeft, cost_left: microsLeft }): Refusal => {
      return { type: "limited", limit: limited, tokensLeft, ...(microsLeft !== undefined && { microsLeft }) };
    }),
]);

/** The rest of the limits per day. */
const Left = z
  .object({ tokens: z.number().optional(), cost: Micros.optional(), key_cost: Micros.optional() })
  .transform(({ tokens, cost, key_cost: keyCost }): readonly LimitLeft[] => [
    ...toLeft("tokens-per-day", tokens),
    ...toLeft("cost-per-day", cost),
    ...toLeft("key-cost-per-day", keyCost),
  ]);

function toLeft(name: DailyLimit, left: number | undefined): readonly LimitLeft[] {
  return left === undefined ? [] : [{ name, left: Math.max(0, left) }];
}

/** The messages of a stored path, oldest first. */
export const PathMessages = z.array(
  z
    .object({
      id: z.string().optional(),
      role: z.enum(roles),
      content: z.string(),
      path_bytes: z.int().nonnegative().nullish().catch(null),
      tools: ToolRows,
      attachments: AttachmentList.optional(),
      summary: z.string().optional(),
    })
    .transform(({ id, role, content, path_bytes: pathBytes, tools, attachments = [], summary }): Message => {
      const images = toStoredImages(attachments);
      const place = {
        ...(id !== undefined && { rowId: id }),
        ...(pathBytes != null && { pathBytes }),
        ...(summary !== undefined && { summary }),
      };
      if (role !== "assistant") return { role, text: content, images, ...place };
      return { role, text: content, images, isAnswer: true, ...(tools !== undefined && { tools }), ...place };
    }),
);

/** The steps in which the start of a longer path moves, as parts of the characters that are read at most. */
const stepsOfStart = 4;

/** Returns the end of a path, read up to `maxChars`, from a start that rarely moves. */
export function toPathMessages(messages: readonly Message[], maxChars: number): readonly Message[] {
  return alignStart(messages, maxChars / stepsOfStart);
}

/** The result of a function. The commonest first: each mismatch creates an error that is thrown away. */
export const SaveMessagesResult = z.union([
  z.object({
    conversation_id: z.string(),
    digest: z.string(),
    message_ids: z.array(z.string()).optional(),
    history: PathMessages.optional(),
    attachments: z.object({ missing: z.array(z.string()), stored: z.array(z.string()) }).optional(),
    left: Left.optional(),
  }),
  z.object({ missing: z.literal(true) }),
  z.object({ deleted: z.literal(true) }),
  z.object({ full: z.literal(true) }),
  z.object({
    unaddressed: z.array(z.object({ id: z.string(), role: z.enum(roles), content: z.string() })),
  }),
  RefusalResult,
]);

/** Returns the refusal in a function's result; `undefined` for other results. */
export function toRefusal(result: unknown): Refusal | undefined {
  return RefusalResult.safeParse(result).data;
}
