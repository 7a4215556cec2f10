/** Owns what a client asks for, and the turn that begins with it. */
import { hash } from "node:crypto";
import { v7 as createId } from "uuid";
import type { PromptOptions } from "./instructions.ts";
import { toReservedOutput, toTokens, type Allowance, type Estimate } from "./limits.ts";
import { addressMessages, type Digest } from "./message-tree.ts";
import { toTitle, type Message } from "./message.ts";
import type { Caller, StoredPath, TurnBegin } from "./ports.ts";

/** What a client asks for. */
export interface TurnRequest extends PromptOptions {
  readonly conversationId: string | undefined;
  readonly caller: Caller;
  /** Whether a conversation that it names must be its caller's, or new. */
  readonly mustOwn: boolean;
  /** The whole chat; or, with `parentId`, what is new of it. */
  readonly messages: readonly Message[];
  /** The stored message that `messages` go on from: its id, or `leaf`. */
  readonly parentId: string | undefined;
  /** The path to it, once it was read. */
  readonly stored?: StoredPath | undefined;
  /** The id that the client chose for the turn. */
  readonly turnId: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** What it may take of its user's limits; `undefined` where there are none. */
  readonly allowance?: Allowance | undefined;
  /** The id of the request, by which the log knows it. */
  readonly requestId?: string | undefined;
}

/** Returns the turn that `request` begins, with the ids that it gets at once. */
export function toTurnBegin(request: TurnRequest, model: string, startedAt: Date): TurnBegin {
  return {
    turnId: request.turnId ?? createId(),
    conversationId: request.conversationId ?? createId(),
    isConversationNamed: request.conversationId !== undefined,
    caller: request.caller,
    title: toTitle(request.messages),
    path: addressMessages(request.messages, request.stored?.digest),
    anchor: request.stored?.digest,
    startedAt,
    model,
    mustOwn: request.mustOwn,
    mayBeRefused: mayBeRefused(request),
    idempotencyKey: request.idempotencyKey,
    requestDigest: request.idempotencyKey === undefined ? undefined : digestRequest(request),
    estimate: estimateTurn(request),
    allowance: request.allowance,
    requestId: request.requestId,
  };
}

/** Whether the store may say that a turn's key or id is another's, its conversation somebody else's, or that its user has had enough. */
export function mayBeRefused(request: TurnRequest): boolean {
  const { turnId, idempotencyKey, mustOwn, conversationId, allowance } = request;
  return (
    turnId !== undefined ||
    idempotencyKey !== undefined ||
    allowance !== undefined ||
    (mustOwn && conversationId !== undefined)
  );
}

/** Returns what is reserved for a turn: what its messages take, and a reply as long as it may be. */
function estimateTurn({ messages, stored, parameters }: TurnRequest): Estimate {
  let [bytes, imagesCount] = [0, 0];
  for (const { text, images } of [...(stored?.messages ?? []), ...messages]) {
    bytes += Buffer.byteLength(text);
    imagesCount += images.length;
  }
  return {
    inputTokens: toTokens(bytes, imagesCount),
    outputTokens: toReservedOutput(parameters.max_completion_tokens ?? parameters.max_tokens),
  };
}

/** Returns the digest of all that a request asks for: equal for one that is sent again. */
export function digestRequest(request: TurnRequest): Digest {
  const {
    messages,
    conversationId = null,
    useWebSearch,
    knowledgeBase = null,
    wantsPlan,
    parameters,
    parentId,
  } = request;
  const asked = [messages, conversationId, useWebSearch, knowledgeBase, ...(wantsPlan ? [] : ["no plan"])];
  const more = [
    ...(Object.keys(parameters).length === 0 ? [] : [parameters]),
    ...(parentId === undefined ? [] : [{ parentId }]),
  ];
  return hash("sha256", JSON.stringify([...asked, ...more]));
}

/** The conversation of a turn that the store has not answered for: unknown where it may continue a stored one. */
export function toKnownConversation(turn: TurnBegin): string | undefined {
  const mayContinue =
    !turn.isConversationNamed &&
    turn.caller.userId !== undefined &&
    turn.path.some(({ role }) => role === "assistant");
  return mayContinue ? undefined : turn.conversationId;
}
