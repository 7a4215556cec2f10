/** The request of `POST /api/chat`, as the AI SDK's default transport sends it. */
import { z } from "zod";
import { isKnown, toCaller, type Identity } from "../../auth/identity.ts";
import { refuse } from "../../base/errors.ts";
import { parse } from "../../base/parse.ts";
import { toStorable } from "../../turn/message.ts";
import type { TurnRequest } from "../../turn/turn-request.ts";
import { ChatId, toChatPlace, toClientId } from "../../http/chat-place.ts";
import {
  IfRunning,
  listOf,
  ModelField,
  OptionalUuid,
  ParentId,
  promptFields,
  toPromptOptions,
  toTurnNames,
  TurnHeaders,
  UserQuery,
} from "../../http/request-fields.ts";
import { checkTools, ToolChoice, Tools } from "../../http/items/client-tools.ts";
import type { RouteBody } from "../../http/route.ts";
import type { ModelParameters } from "../../turn/instructions.ts";
import { isAlone, isGiven, toSentChat, UiMessage, type SentChat } from "./message.ts";

/** The most messages of a page, and how many one has by default. */
const maxPage = 1_000;
const defaultPage = 100;
const pageRule = `must be a whole number from 1 to ${maxPage}`;

/** The query of `GET /api/chat/:id`. */
export const UiChatQuery = UserQuery.extend({
  limit: z.coerce
    .number(pageRule)
    .int(pageRule)
    .min(1, pageRule)
    .max(maxPage, pageRule)
    .default(defaultPage)
    .describe("The most messages to load, counted from the newest."),
  before: ChatId.transform(toStorable)
    .optional()
    .describe("The id of a message of the chat: only older ones are loaded."),
});

/** The client's tools, as in OpenAI's Chat Completions. */
const toolFields = {
  tools: Tools.nullish(),
  tool_choice: ToolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish().describe("`false` lets the model call one tool at a time."),
};

/** The body. Unknown fields are ignored: they repeat facts that the messages hold. */
export const UiChatRequest = z.object({
  id: ChatId.describe(
    "The chat's id. A UUID is the id of the conversation; any other value always leads to the same conversation.",
  ),
  messages: listOf(UiMessage)
    .nullish()
    .describe(
      "The whole chat, or its newest message alone. The last one is the user's, or a reply with the results of its tools, or with answers to requests for approval.",
    ),
  message: UiMessage.nullish().describe("The newest message, instead of `messages`."),
  trigger: z.unknown().optional().describe("`regenerate-message` generates a reply again."),
  messageId: z.unknown().optional().describe("The reply to generate again. Default: the last one."),
  model: ModelField,
  parentId: ParentId,
  ifRunning: IfRunning,
  userId: OptionalUuid.describe("The user whose data this is."),
  store: z
    .boolean()
    .nullish()
    .describe("`false` keeps nothing of the turn, and reads nothing: the model gets exactly `messages`."),
  ...promptFields,
  ...toolFields,
});

/** The same for a request without `message` that does not generate a reply again. */
const WholeUiChatRequest = UiChatRequest.extend({ messages: listOf(UiMessage) });
const Alternatives = z.union([
  z.looseObject({ message: z.object({}) }),
  z.looseObject({ trigger: z.literal("regenerate-message") }),
]);

/** The body of the route. `null` counts as an empty object. */
export const UiChatBody: RouteBody<z.output<typeof UiChatRequest>> = {
  name: "UiChatRequest",
  schema: UiChatRequest,
  isOptional: false,
  parse: (value) => {
    const schema = Alternatives.safeParse(value).success ? UiChatRequest : WholeUiChatRequest;
    return parse(schema, value ?? {}, "invalid_request");
  },
};

/** The headers of the route. The conversation is always the chat's own. */
export const UiTurnHeaders = TurnHeaders.omit({ "x-conversation-id": true });

/** A turn in the conversation of its chat. */
export interface RequestedUiTurn {
  readonly turn: TurnRequest & { readonly conversationId: string };
  /** The reply that the client goes on with; `undefined` for a new one. */
  readonly reply: SentChat["reply"];
  /** As in {@link SentChat}. */
  readonly leavesPending: boolean;
}

/**
 * Returns the requested turn.
 * @throws AppError `invalid_request`, naming the wrong field, or `message_too_large`.
 */
export function toUiChatTurn(
  request: z.output<typeof UiChatRequest>,
  { userId }: z.output<typeof UserQuery>,
  headers: z.output<typeof UiTurnHeaders>,
  identity: Identity,
): RequestedUiTurn {
  const sent = request.messages ?? (isGiven(request.message) ? [request.message] : []);
  const isAgain = request.trigger === "regenerate-message";
  const repliesAgain = isAgain && sent.length === 0;
  const { messages, reply, leavesPending }: SentChat = repliesAgain
    ? { messages: [], reply: undefined, leavesPending: false }
    : toSentChat(sent);
  const caller = toCaller(identity, request.userId || userId);
  const named = request.parentId || undefined;
  const replyId = reply?.message.id ?? reply?.message.clientId;
  // The reply itself is generated again, or goes on, not one that follows it.
  const parentId = repliesAgain || reply !== undefined || (isAgain && named === "leaf") ? undefined : named;
  const namedReplyId = repliesAgain && named !== "leaf" ? named : undefined;
  const isStored =
    repliesAgain ||
    (reply !== undefined && messages.length === 0) ||
    (!isGiven(request.messages) && parentId === undefined);
  const isKept = request.store ?? true;
  if (!isKept && (isStored || named !== undefined))
    refuse("store", "false needs the whole chat in `messages`: nothing is read from the store");
  const options = toPromptOptions(request);
  const names = toTurnNames(headers, request.ifRunning);
  const turn: RequestedUiTurn["turn"] = {
    ...names,
    messages,
    caller,
    ...toChatPlace(request.id, caller.userId),
    parentId,
    ...(!isKept && { isKept }),
    ...(isKept &&
      (parentId === undefined || parentId === "leaf") && {
        continues: {
          mode: parentId ?? (isAlone(sent) ? "new" : "whole"),
          isAgain: isAgain && reply === undefined,
          replyId: isAgain ? (namedReplyId ?? toClientId(request.messageId)) : replyId,
          mustExist: isStored && messages.length === 0,
          needsStore: isStored || named === "leaf",
        },
      }),
    replacesUnread: names.ifRunning === undefined,
    mustOwn: isKnown(identity),
    ...options,
    parameters: { ...options.parameters, ...toToolParameters(request) },
    serverTools: request.tool_choice === "none" ? "none" : "all",
    // The plan was made before the tools ran.
    ...(reply !== undefined && { extendsReply: reply.message, wantsPlan: false }),
  };
  return { turn, reply, leavesPending };
}

/** Returns the parameters about the client's tools. @throws AppError `invalid_request`. */
function toToolParameters(request: z.output<z.ZodObject<typeof toolFields>>): ModelParameters {
  const tools = request.tools ?? undefined;
  const tool_choice = request.tool_choice ?? undefined;
  const parallel_tool_calls = request.parallel_tool_calls ?? undefined;
  checkTools({ tools, tool_choice });
  // Model servers refuse the others without tools.
  if (tools === undefined || tools.length === 0) return {};
  return {
    tools,
    ...(tool_choice !== undefined && { tool_choice }),
    ...(parallel_tool_calls !== undefined && { parallel_tool_calls }),
  };
}
