/** The request of `POST /stream-chat`, in the format of the Flask service that Foreword replaces. */
import { refuse } from "../../base/errors.ts";
import { z } from "zod";
import { isKnown, toCaller, type Identity } from "../../auth/identity.ts";
import { parse } from "../../base/parse.ts";
import { unknownOutcome } from "../../turn/items/tool-parts.ts";
import { toRole, type Image, type Message } from "../../turn/message.ts";
import { leafContinuation } from "../../http/chat-place.ts";
import type { TurnRequest } from "../../turn/turn-request.ts";
import {
  checkLast,
  IfRunning,
  InlineFile,
  listOf,
  ModelField,
  maxParts,
  nameFile,
  nameLinks,
  OptionalUuid,
  ParentId,
  promptFields,
  StoredFileUrl,
  toMessageText,
  toPromptOptions,
  toTurnNames,
  type TurnHeaders,
} from "../../http/request-fields.ts";
import type { RouteBody } from "../../http/route.ts";
import {
  SentCalls,
  toolRequestFields,
  ToolResults,
  toSentParts,
  toToolParameters,
  toCallResults,
} from "./tool-request.ts";

const Text = z.string().nullish();
const Sender = Text.describe(
  "The author, case-insensitive: assistant, gpt, ai and bot are the assistant, system is the system, any other value is the user.",
);
const MessageText = Text.describe(
  "The text: the first non-empty field of text, content and value. At most `LIMIT_MESSAGE_KIB`, by default 1 MiB.",
);

const ChatImage = z
  .object({
    inlineData: InlineFile.nullish(),
    url: StoredFileUrl.nullish().describe("The URL of a stored file, instead of its bytes."),
    name: z.string().nullish().describe("The name of the file."),
  })
  .meta({ anyOf: ["inlineData", "url"].map((name) => ({ required: [name] })) })
  .transform(({ inlineData, url, name }, context): Image => {
    const image = inlineData ?? url;
    if (image) return nameFile(image, name);
    context.addIssue({ code: "custom", path: ["inlineData"], message: "is required, or url" });
    return z.NEVER;
  });

/** A message. */
export const ChatMessage = z
  .object({
    sender: Sender,
    role: Sender,
    text: MessageText,
    content: MessageText,
    value: MessageText,
    images: listOf(ChatImage, maxParts)
      .nullish()
      .describe("Images and PDFs of a user message: sent to the model, and stored beside the message."),
    tools: SentCalls.nullish().describe("The tool calls of an assistant's message, with their results."),
  })
  .refine(({ sender, role }) => typeof (sender ?? role) === "string", {
    path: ["sender"],
    message: "is required",
  })
  .meta({
    anyOf: ["sender", "role"].map((name) => ({
      required: [name],
      properties: { [name]: { type: "string" } },
    })),
  });

/** The body. Unknown fields are ignored, as in the Flask service. */
export const ChatRequest = z
  .object({
    messages: listOf(ChatMessage).optional().meta({
      description:
        "The whole chat, or only its new messages. The last one must be a user message that is not empty, or an assistant message with the results of its tool calls.",
      minItems: 1,
    }),
    toolResults: ToolResults.nullish().describe(
      "The results of the tool calls of the stored reply `parentId`, instead of `messages`.",
    ),
    ...toolRequestFields,
    ...promptFields,
    conversationId: OptionalUuid.describe("The conversation to use; created if it does not exist."),
    model: ModelField,
    parentId: ParentId,
    ifRunning: IfRunning,
    userId: OptionalUuid.describe("The user whose data this is."),
  })
  .refine(({ messages, toolResults }) => messages !== undefined || (toolResults ?? []).length > 0, {
    path: ["messages"],
    message: "is required",
  })
  .meta({
    anyOf: [
      { required: ["messages"] },
      { required: ["toolResults"], properties: { toolResults: { type: "array", minItems: 1 } } },
    ],
  });

/** The body of the route. `null` counts as an empty object. */
export const ChatBody: RouteBody<z.output<typeof ChatRequest>> = {
  name: "ChatRequest",
  schema: ChatRequest,
  isOptional: false,
  parse: (value) => parse(ChatRequest, value ?? {}, "invalid_request"),
};

/**
 * Returns the requested turn. `X-Conversation-Id` names the conversation unless the body does.
 * @throws AppError `invalid_request`, naming the wrong field, or `message_too_large`.
 */
export function toChatTurn(
  request: z.output<typeof ChatRequest>,
  headers: z.output<typeof TurnHeaders>,
  identity: Identity,
): TurnRequest {
  const content = toContent(request);
  const named = toTurnNames(headers, request.ifRunning);
  const conversationId = request.conversationId || named.conversationId;
  if (request.parentId === "leaf" && conversationId === undefined)
    refuse("parentId", "leaf requires conversationId");
  const options = toPromptOptions(request);
  const parameters = toToolParameters(request);
  const isContinued = content.extendsReply !== undefined || content.toolResults !== undefined;
  return {
    ...named,
    ...content,
    caller: toCaller(identity, request.userId),
    conversationId,
    parentId: request.parentId || undefined,
    ...(request.parentId === "leaf" && content.toolResults === undefined && { continues: leafContinuation }),
    mustOwn: isKnown(identity),
    ...options,
    parameters: { ...options.parameters, ...parameters },
    // The first turn of a reply has made its plan.
    ...(isContinued && { wantsPlan: false }),
    // Without tools of its own a client can only choose that the server's are not used.
    ...(parameters.tools === undefined && request.toolChoice === "none" && { serverTools: "none" }),
  };
}

type Content = Pick<TurnRequest, "messages" | "extendsReply" | "toolResults">;

/** Returns the messages of a request, or the results with which a reply goes on. */
function toContent({ messages = [], toolResults, parentId }: z.output<typeof ChatRequest>): Content {
  if (toolResults !== null && toolResults !== undefined && toolResults.length > 0) {
    if (messages.length > 0) refuse("messages", "must be empty beside toolResults");
    if (!parentId) refuse("parentId", "must name the reply whose toolResults these are");
    return { messages: [], toolResults: toCallResults(toolResults) };
  }
  const all = messages.map(toMessage);
  const last = all.at(-1);
  const isContinued = last?.tools?.some(({ runsOn }) => runsOn === "client") === true;
  if (last === undefined || !isContinued) {
    checkLast(all);
    return { messages: all };
  }
  const before = all.slice(0, -1);
  checkLast(before);
  return { messages: before, extendsReply: toExtended(last, `messages[${all.length - 1}]`) };
}

/** A call whose result only the server could know is sent to the model as unknown. */
function toExtended(message: Message, field: string): Message {
  return {
    ...message,
    tools: message.tools?.map((call, index) => {
      if (call.outcome === undefined && call.runsOn === "client")
        refuse(`${field}.tools[${index}].output`, "is required: the reply goes on with all results");
      return call.outcome === undefined ? { ...call, outcome: unknownOutcome } : call;
    }),
  };
}

function toMessage(message: z.infer<typeof ChatMessage>, index: number): Message {
  const role = toRole(message.sender || (message.role ?? ""));
  const field = (["text", "content", "value"] as const).find((name) => (message[name]?.trim() ?? "") !== "");
  const sent = field === undefined ? "" : (message[field]?.trim() ?? "");
  const text = toMessageText(sent, role, `messages[${index}].${field}`);
  const tools = toSentParts(message.tools ?? [], text, `messages[${index}]`);
  if (tools !== undefined && role !== "assistant")
    refuse(`messages[${index}].tools`, "only an assistant's message has tool calls");
  return {
    role,
    text,
    images: nameLinks(message.images ?? [], `messages[${index}].images`),
    ...(tools !== undefined && { tools }),
  };
}
