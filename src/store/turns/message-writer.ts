/** Writes paths into the message tree: sends only the new end of a long path, and more if asked for it. */
import type { z } from "zod";
import { AppError } from "../../base/errors.ts";
import { parse } from "../../base/parse.ts";
import { createId } from "../../base/create-id.ts";
import {
  digestContent,
  digestPath,
  toSentAnswer,
  type AddressedMessage,
  type Digest,
} from "../../turn/message-tree.ts";
import type { Image, Role } from "../../turn/message.ts";
import type { Clock } from "../../base/clock.ts";
import type { Caller } from "../../base/caller.ts";
import type { TurnBegin } from "../../turn/ports.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { SaveMessagesResult, toPathMessages, type SaveResult } from "./save-result.ts";
import { toToolsMetadata } from "./tool-rows.ts";
import type { Database, FunctionName } from "../database/database.ts";

/** A path up to this length is sent whole; of a longer one only the end, usually all that is new. */
const shortPath = 8;
/** The most replies of an unnamed conversation that are compared to find the one it continues. */
const maxCandidates = 16;
/**
 * How much text from the old service comes back for its digests at a time, and how often in one begin. A
 * longer conversation is converted as well: the rest follows with the next attempt.
 */
const stepBytes = 4 * 1024 * 1024;
const maxSteps = 20;
/** How many changed paths are remembered, at about 200 bytes each. */
const maxKnownPaths = 10_000;

/** A path and its place, as a begin has them. */
export type SavedPath = Pick<
  TurnBegin,
  | "conversationId"
  | "isConversationNamed"
  | "caller"
  | "mustOwn"
  | "title"
  | "path"
  | "extendsReply"
  | "anchor"
  | "continues"
  | "maxReadChars"
  | "chatId"
  | "startedAt"
> & {
  /** Whether the database needs all of it to find its place, however long it is. */
  readonly isSentWhole?: boolean;
};

/** How the stored path of a continuing turn is read. */
export interface PathReading {
  /** Whether with its summaries. Default `false`. */
  readonly readsSummaries?: boolean;
}

/** Sends paths to the database: of a long one first the end, then the whole if asked. */
export class MessageWriter {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #reading: PathReading;
  /** For messages that a client sends back changed: the digest of the path as sent → as stored. */
  readonly #knownPaths = new Map<Digest, Digest>();

  constructor(database: Database, clock: Clock, reading: PathReading = {}) {
    this.#reading = reading;
    this.#database = database;
    this.#clock = clock;
  }

  /** Adds the path of `turn`, and `tail` after it, to its conversation. */
  async save(
    name: FunctionName,
    turn: SavedPath,
    caller: Caller,
    argument: JsonObject,
    tail: readonly Json[] = [],
  ): Promise<SaveResult> {
    const keepsImages = argument["attachments"] !== undefined;
    const stored = this.#toStoredDigests(turn);
    const candidates = turn.isConversationNamed ? [] : toCandidates(turn, stored);
    const mayBeKnown =
      turn.isConversationNamed || (candidates.length > 0 && turn.caller.userId !== undefined);
    let from = mayBeKnown && turn.isSentWhole !== true ? findTailStart(turn.path) : 0;
    let addresses: JsonObject = {};
    for (let steps = 0; ;) {
      const result = await this.#database.call(
        name,
        {
          ...argument,
          conversation: toConversation(turn, this.#clock.now()),
          continue: this.#toContinue(turn),
          anchor: from === 0 ? (turn.anchor ?? null) : stored[from - 1],
          path: [...turn.path.slice(from).map((message) => toPathItem(message, keepsImages)), ...tail],
          ...(turn.extendsReply !== undefined && { extends: toPathItem(turn.extendsReply) }),
          candidates,
          addresses,
          step_bytes: stepBytes,
        },
        caller,
      );
      const saved = parse(SaveMessagesResult, result, "store_refused");
      if ("type" in saved) return saved;
      if ("conversation_id" in saved) {
        // A path that does not start at the root has the same digest in many places.
        const isFromRoot = turn.continues === undefined || turn.continues.mode === "whole";
        if (tail.length === 0 && isFromRoot) this.#remember(turn.path.at(-1)?.pathDigest, saved.digest);
        return toSaved(saved, turn.maxReadChars ?? 0);
      }
      if ("deleted" in saved) return { type: "deleted" };
      if ("full" in saved) return { type: "full" };
      // The message it continues existed when it was read.
      if ("missing" in saved && from === 0) return { type: "deleted" };
      if ("missing" in saved) {
        from = 0;
        continue;
      }
      steps += 1;
      if (steps > maxSteps)
        throw new AppError(
          "store_unavailable",
          "the conversation has more old messages than one begin converts; the next one continues",
        );
      addresses = toAddresses(saved.unaddressed);
    }
  }

  /** Returns the digests of the path's messages as stored, as far as known here. */
  #toStoredDigests({ path, anchor }: SavedPath): readonly Digest[] {
    if (this.#knownPaths.size === 0) return path.map(({ pathDigest }) => pathDigest);
    let parent = anchor;
    let isAsSent = true; // until a message that is stored differently: no digest before it changes
    return path.map(({ pathDigest, contentDigests }) => {
      const known = this.#knownPaths.get(pathDigest);
      isAsSent &&= known === undefined;
      parent = known ?? (isAsSent ? pathDigest : digestPath(parent, contentDigests[0] ?? ""));
      return parent;
    });
  }

  #toContinue({ continues, maxReadChars }: SavedPath): Json {
    if (continues === undefined) return undefined;
    const { mode, isAgain, replyId, mustExist } = continues;
    return {
      mode,
      is_again: isAgain,
      reply_id: replyId,
      must_exist: mustExist,
      max_chars: mode === "whole" ? undefined : maxReadChars,
      ...(this.#reading.readsSummaries === true && { with_summaries: true }),
    };
  }

  #remember(sent: Digest | undefined, stored: Digest): void {
    if (sent === undefined || sent === stored || stored === "") return;
    this.#knownPaths.delete(sent);
    this.#knownPaths.set(sent, stored);
    const [oldest] = this.#knownPaths.keys();
    if (this.#knownPaths.size > maxKnownPaths && oldest !== undefined) this.#knownPaths.delete(oldest);
  }
}

type SavedRow = Extract<z.output<typeof SaveMessagesResult>, { readonly conversation_id: string }>;

function toSaved(row: SavedRow, maxContextChars: number): SaveResult {
  const { conversation_id: conversationId, message_ids: messageIds, history, attachments, left } = row;
  return {
    type: "saved",
    conversationId,
    ...(messageIds !== undefined && { messageIds }),
    ...(history !== undefined && { history: toPathMessages(history, maxContextChars) }),
    ...(attachments !== undefined && { attachments }),
    ...(left !== undefined && { left }),
  };
}

/** Returns the start of the part that a client has not sent before: after its last but one user message. */
function findTailStart(path: readonly AddressedMessage[]): number {
  if (path.length <= shortPath) return 0;
  const previous = path.findLastIndex(({ role }, index) => role === "user" && index < path.length - 1);
  return previous + 1;
}

function toCandidates(
  { path, anchor, extendsReply }: SavedPath,
  stored: readonly Digest[],
): readonly Digest[] {
  const replies = path.map(({ role, earlierDigests = [] }, index) => {
    const digest = stored[index];
    if (role !== "assistant" || digest === undefined) return [];
    const parent = index === 0 ? anchor : stored[index - 1];
    return [digest, ...earlierDigests.map((earlier) => digestPath(parent, earlier))];
  });
  const longest = replies.filter((digests) => digests.length > 0).slice(-maxCandidates);
  const known = longest.toReversed().flat();
  if (extendsReply === undefined) return known;
  const { contentDigests, earlierDigests } = extendsReply;
  const parent = stored.at(-1) ?? anchor;
  return [...[...earlierDigests, ...contentDigests].map((digest) => digestPath(parent, digest)), ...known];
}

function toConversation(turn: SavedPath, now: Date): Json {
  return {
    id: turn.conversationId,
    is_named: turn.isConversationNamed,
    title: turn.title,
    user_id: turn.caller.userId,
    must_own: turn.mustOwn,
    chat_id: turn.chatId,
    age_ms: Math.max(0, now.getTime() - turn.startedAt.getTime()),
  };
}

function toPathItem(message: AddressedMessage, keepsImages = false): JsonObject {
  const { role, imagesCount, content, plan, contentDigests, sentId, clientId, after, tools, toolsDigest } =
    message;
  const metadata = {
    ...(plan !== undefined && { plan }),
    ...(imagesCount > 0 && { images_count: imagesCount }),
    ...(clientId !== undefined && { client_id: clientId }),
    ...(tools !== undefined && toToolsMetadata(tools)),
    ...(keepsImages && message.images !== undefined && { attachments: toAttachmentRows(message.images) }),
  };
  return {
    id: createId(),
    role,
    content,
    metadata,
    digests: contentDigests,
    sent_id: sentId,
    client_id: sentId ?? clientId,
    after,
    tools_digest: toolsDigest,
    earlier_digests: message.earlierDigests,
    earlier_tools_digest: message.earlierToolsDigest,
  };
}

/** Returns the images of a message as its metadata lists them. */
function toAttachmentRows(images: readonly Image[]): Json {
  return images.flatMap(({ name, attachment }) =>
    attachment === undefined
      ? []
      : [{ id: attachment.id, media_type: attachment.mediaType, size_bytes: attachment.sizeBytes, name }],
  );
}

function toAddresses(rows: readonly { id: string; role: Role; content: string }[]): JsonObject {
  return Object.fromEntries(
    rows.map(({ id, role, content }) => [
      id,
      digestContent(role, role === "assistant" ? toSentAnswer(content) : content),
    ]),
  );
}
