/** A client's request for a turn, and the begin of the turn that follows from it. */
import { hash } from "node:crypto";
import { createId } from "../base/create-id.ts";
import { toInstruction, type PromptOptions } from "./instructions.ts";
import { toReservedOutput, toTokens, type Allowance, type Estimate } from "./limits.ts";
import { sampleTokens } from "./context/token-count.ts";
import { addressAnswered, addressMessages, type Digest } from "./message-tree.ts";
import { toTitle, type Message } from "./message.ts";
import type { Caller } from "../base/caller.ts";
import type { JsonObject } from "../base/json.ts";
import type { CallResult, ResultFields } from "./items/tool-results.ts";
import type { BeginResult, Continuation, Model, Models, RunningChoice, TurnBegin } from "./ports.ts";
import type { PricedModels } from "./budget/prices.ts";
import { toTraceId, type TraceContext } from "./tracing/trace-context.ts";
import type { WireName } from "./turn-event.ts";
import type { StoredPath } from "./records.ts";
import { maxMaterialCharacters } from "./sources/material.ts";

/** Which tools of this server a turn may use: none, those that need no approval, or all. */
export const serverToolChoices = ["none", "read", "all"] as const;
/** One of {@link serverToolChoices}. */
export type ServerToolChoice = (typeof serverToolChoices)[number];

/** A client's request for a turn. */
export interface TurnRequest extends PromptOptions {
  readonly conversationId: string | undefined;
  readonly caller: Caller;
  /** The name of the model, which there is; absent for the default one. */
  readonly model?: string | undefined;
  /** Whether `conversationId` must be new, or the caller's own. */
  readonly mustOwn: boolean;
  /** The whole chat; with `parentId` only its new messages. */
  readonly messages: readonly Message[];
  /**
   * The reply that the turn goes on with: its text so far, and its tool calls with the results that its
   * client brings. `messages` end with the message that it answers, or are empty if only this reply was sent.
   */
  readonly extendsReply?: Message | undefined;
  /** The results of the open calls of the stored reply `parentId`, with which the turn goes on. */
  readonly toolResults?: readonly CallResult[] | undefined;
  /** The request's names for these results; absent if they are those of `POST /stream-chat`. */
  readonly resultFields?: ResultFields | undefined;
  /** That reply with these results, if `messages` come after it. It is read later, as `stored` is. */
  readonly answeredReply?: Message | undefined;
  /** Which tools of this server the turn may use; absent means `read`. */
  readonly serverTools?: ServerToolChoice | undefined;
  /** Whether sources are looked for, whose room is reserved; absent if not. */
  readonly mayHaveSources?: boolean | undefined;
  /** The names of the servers whose tools they are; absent means all. */
  readonly toolServers?: readonly string[] | undefined;
  /** The stored message that `messages` continue: its id, or `leaf`. */
  readonly parentId: string | undefined;
  /** How the begin finds the message that `messages` continue, unless they start at the root. */
  readonly continues?: Continuation | undefined;
  /** The AI SDK chat whose conversation it belongs to, if `conversationId` only follows from its id. */
  readonly chatId?: string | undefined;
  /** How it begins while other turns of its conversation are in progress; absent for its wire's default. */
  readonly ifRunning?: RunningChoice | undefined;
  /** Whether to stop turns of this chat that have no followers and that `messages` do not name. */
  readonly replacesUnread?: boolean;
  /** Whether everything is known that its begin needs. */
  readonly isPrepared?: boolean;
  /** The stored path before `messages`, once it was read. */
  readonly stored?: StoredPath | undefined;
  /** The id that the client chose for the turn. */
  readonly turnId: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** As in `TurnBegin`, made by `toStoredRequest`. */
  readonly request?: JsonObject | undefined;
  /** `false` stores nothing of the turn: no row, no line in the journal. Default `true`. */
  readonly isKept?: boolean | undefined;
  /** Its user's limits; `undefined` if there are none. */
  readonly allowance?: Allowance | undefined;
  /** The id of the request in the log. */
  readonly requestId?: string | undefined;
  /** The wire on which it came; absent if that is not known any more. */
  readonly wire?: WireName | undefined;
  /** Its place in a trace; once it runs, that of its own span if there is one. */
  readonly trace?: TraceContext | undefined;
}

/** Returns the model that a turn asks for. */
export function findModel(models: Models, { model: name }: TurnRequest): Model {
  const model = name === undefined ? models.default : models.find(name);
  if (model === undefined) throw new Error(`a turn asks for a model that there is not: ${name}`);
  return model;
}

/** Returns the tokens to reserve for `request`, and their price if it is known. */
export function toReservation(
  request: TurnRequest,
  { models, pricing }: PricedModels,
): Pick<TurnBegin, "estimate" | "price"> {
  const model = findModel(models, request);
  const price = pricing?.findReserved(model.name);
  return { estimate: estimateTurn(request, model), ...(price !== undefined && { price }) };
}

/** Returns the begin of the turn that `request` asks for, with new ids where it names none. */
export function toTurnBegin(request: TurnRequest, priced: PricedModels, startedAt: Date): TurnBegin {
  const { extendsReply } = request;
  const model = findModel(priced.models, request);
  const path = addressMessages(toNewMessages(request), request.stored?.digest);
  const parent = path.at(-1)?.pathDigest ?? request.stored?.digest;
  return {
    turnId: request.turnId ?? createId(),
    conversationId: request.conversationId ?? createId(),
    isConversationNamed: request.conversationId !== undefined,
    caller: request.caller,
    title: toTitle(request.messages),
    path,
    ...(extendsReply !== undefined && { extendsReply: addressAnswered(extendsReply, parent) }),
    anchor: request.stored?.digest,
    continues: request.continues,
    chatId: request.chatId,
    ...(request.ifRunning !== undefined && { ifRunning: request.ifRunning }),
    startedAt,
    model: model.name,
    maxReadChars: model.maxReadChars,
    mustOwn: request.mustOwn,
    ...(request.isKept === false && { isKept: false }),
    mayBeRefused: mayBeRefused(request),
    idempotencyKey: request.idempotencyKey,
    requestDigest: request.idempotencyKey === undefined ? undefined : digestRequest(request),
    ...(request.request !== undefined && { request: request.request }),
    ...toReservation(request, priced),
    allowance: request.allowance,
    requestId: request.requestId,
    wire: request.wire,
    traceId: request.trace && toTraceId(request.trace),
  };
}

/** Returns the whole chat of a turn, as far as it was sent or read. */
export function toChat(request: TurnRequest): readonly Message[] {
  const { stored, extendsReply } = request;
  const reply = extendsReply === undefined ? [] : [extendsReply];
  return [...(stored?.messages ?? []), ...toNewMessages(request), ...reply];
}

/** Returns the messages of a turn that may not be stored yet. */
function toNewMessages({ answeredReply, messages }: TurnRequest): readonly Message[] {
  return answeredReply === undefined ? messages : [answeredReply, ...messages];
}

/**
 * Returns `request` with the stored messages that its begin found before its own. System messages that were
 * sent before a single new message come first, and replace those at the start of the conversation.
 */
export function addHistory(
  request: TurnRequest,
  { history, conversationId = "" }: BeginResult & { readonly type: "begun" },
): TurnRequest {
  if (history === undefined) return request;
  const isNewest = request.continues?.mode === "new" && request.messages.length > 1;
  const instructions = isNewest ? request.messages.slice(0, -1) : [];
  const begins = history.findIndex(({ role }) => role !== "system");
  const said = isNewest ? history.slice(begins === -1 ? history.length : begins) : history;
  return {
    ...request,
    messages: request.messages.slice(instructions.length),
    stored: { conversationId, digest: undefined, messages: [...instructions, ...said] },
  };
}

/**
 * Whether the store may refuse the turn: for a used key or id, another user's conversation, a limit, or a
 * turn in progress.
 */
export function mayBeRefused(request: TurnRequest): boolean {
  const { turnId, idempotencyKey, mustOwn, conversationId, allowance, continues, ifRunning } = request;
  return (
    ifRunning === "reject" ||
    ifRunning === "stop" ||
    (continues !== undefined && continues.mode !== "whole") ||
    turnId !== undefined ||
    idempotencyKey !== undefined ||
    allowance !== undefined ||
    (mustOwn && conversationId !== undefined)
  );
}

/** Returns the tokens reserved for a turn: its whole prompt, and the longest reply that `model` may give. */
export function estimateTurn(request: TurnRequest, model: Model): Estimate {
  const { max_tokens: _, max_completion_tokens: __, ...parameters } = request.parameters;
  const messages = toChat(request);
  const texts = [toInstruction(request) ?? ""];
  let imagesCount = 0;
  const sourceTokens = request.mayHaveSources === true ? toTokens(maxMaterialCharacters) : 0;
  // A schema counts as prompt, and may be as long as messages.
  if (Object.keys(parameters).length > 0) texts.push(JSON.stringify(parameters));
  // Verbatim messages may hold more than ours: a name, a refusal.
  for (const message of request.verbatim ?? [])
    for (const [field, value] of Object.entries<unknown>({ ...message }))
      if (field !== "content" && typeof value === "string") texts.push(value);
  for (const { text, images, tools } of messages) {
    texts.push(text);
    imagesCount += images.length;
    for (const { name, input, outcome } of tools ?? [])
      texts.push(name, input, JSON.stringify(outcome?.output ?? ""));
  }
  return {
    inputTokens: sourceTokens + sampleTokens(texts) + toTokens(0, imagesCount, messages.length),
    outputTokens: toReservedOutput(model.toMaxTokens(request.parameters)),
  };
}

/** Returns the digest of everything in a request: a resent request has the same. */
export function digestRequest(request: TurnRequest): Digest {
  const {
    conversationId = null,
    useWebSearch,
    knowledgeBase = null,
    wantsPlan,
    verbatim,
    parentId,
    continues,
  } = request;
  const parameters = { ...(verbatim !== undefined && { messages: verbatim }), ...request.parameters };
  // The client's own message ids do not count, nor do our ids of its images.
  const messages = request.messages.map((message) => {
    const images = message.images.map(({ link, ...image }) =>
      link === undefined ? { ...image, attachment: undefined, name: undefined } : { link: link.id },
    );
    return { ...message, images, clientId: undefined, after: undefined };
  });
  const asked = [messages, conversationId, useWebSearch, knowledgeBase, ...(wantsPlan ? [] : ["no plan"])];
  const more = [
    ...(Object.keys(parameters).length === 0 ? [] : [parameters]),
    ...(parentId === undefined ? [] : [{ parentId }]),
    ...(continues?.replyId === undefined ? [] : [{ again: continues.replyId }]),
    ...(request.isKept === false ? [{ store: false }] : []),
    ...(request.model === undefined ? [] : [{ model: request.model }]),
    ...(request.request === undefined ? [] : [{ request: request.request }]),
    ...(request.instructions === undefined ? [] : [{ instructions: request.instructions }]),
    // The reply that these results extend is read later.
    ...(request.toolResults === undefined ? [] : [{ results: request.toolResults }]),
    ...(request.extendsReply === undefined || request.toolResults !== undefined
      ? []
      : [{ extends: { ...request.extendsReply, clientId: undefined, after: undefined } }]),
  ];
  return hash("sha256", JSON.stringify([...asked, ...more]));
}

/**
 * Returns the conversation of a turn before the store has placed it; `undefined` if it may be a stored one.
 */
export function toKnownConversation(turn: TurnBegin): string | undefined {
  const mayContinue =
    !turn.isConversationNamed &&
    turn.caller.userId !== undefined &&
    (turn.extendsReply !== undefined || turn.path.some(({ role }) => role === "assistant"));
  return mayContinue ? undefined : turn.conversationId;
}
