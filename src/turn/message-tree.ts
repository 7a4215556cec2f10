/**
 * The address of a message: a digest of its content and of everything before it. Equal paths have equal
 * digests, so a resent history is found instead of stored again.
 */
import { hash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { maxAtOnceLength } from "../base/json/long-json.ts";
import { findLineStart } from "./reply/boundary.ts";
import type { Image, Message, Role } from "./message.ts";
import { splitSentReply } from "./reply/sent-reply.ts";
import { digestTools } from "./items/tool-digest.ts";
import type { ToolPart } from "./items/tool.ts";

/** SHA-256, as 64 hexadecimal digits. */
export type Digest = string;

/** Everything the store needs to find a message's row, or to create it. */
export interface AddressedMessage {
  readonly role: Role;
  readonly imagesCount: number;
  /** Its images that are to be kept; absent if there are none. */
  readonly images?: readonly Image[] | undefined;
  /** The row's content; of a reply that was sent back with its plan, the answer alone. */
  readonly content: string;
  /** The plan of such a reply; `undefined` if the text had none. */
  readonly plan: string | undefined;
  /** The id that its client sent, if it is one of ours: a reply's. */
  readonly sentId?: string | undefined;
  /** The client's own id for it otherwise. */
  readonly clientId?: string | undefined;
  /** The turn of the reply before it, if its client has seen no text of that reply. */
  readonly after?: string | undefined;
  /** Its tool calls, whose places are in `content`; absent if it has none. */
  readonly tools?: readonly ToolPart[] | undefined;
  /** The digest of those that its client runs; absent if there are none. */
  readonly toolsDigest?: Digest | undefined;
  /** Digests of its content, the likeliest first: a reply's text may be an answer that holds a boundary. */
  readonly contentDigests: readonly Digest[];
  /** Digest of the path that ends in it, as its client sent it. */
  readonly pathDigest: Digest;
  /** Digests of its content without the results of its last calls; absent if its row has them, if any. */
  readonly earlierDigests?: readonly Digest[] | undefined;
  /** The same of its tool calls alone. */
  readonly earlierToolsDigest?: Digest | undefined;
}

/** A reply with the results of its last calls, which its row may not have yet. */
export interface AnsweredReply extends AddressedMessage {
  readonly earlierDigests: readonly Digest[];
}

/** How much text is read in one turn of the event loop, in UTF-16 code units. */
const turnLength = 262_144;

/** The start of the error line that ends a reply that was cut off; a frontend may send it back. */
const errorLine = /^\[error\] [a-z_]+: /;

const mark = /\p{M}/u;
/**
 * No language puts more marks on one character; to compose a text that does takes quadratic time (measured).
 */
const maxMarks = 30;
const stackedMarks = new RegExp(`\\p{M}{${maxMarks + 1}}`, "u");

/** Text that NFC leaves unchanged: marks, and the characters composed of them, come after these. */
// eslint-disable-next-line no-control-regex
const simple = /^[\u0000-\u02FF]*$/;

/** Returns the answer of a reply that a frontend sends back: without plan, boundary and `[error]` line. */
export function toSentAnswer(text: string): string {
  const answer = splitSentReply(text).answer.trim();
  const lastLine = findLineStart(answer);
  return errorLine.test(answer.slice(lastLine)) ? answer.slice(0, lastLine).trim() : answer;
}

/**
 * Returns the digest of a message's content: its role, its canonical text (trimmed, NFC), its images, and the
 * tool calls that its client runs, with their results. With such calls white space counts as one space.
 */
export function digestContent(
  role: Message["role"],
  text: string,
  images: Message["images"] = [],
  tools?: readonly ToolPart[],
): Digest {
  return digestParts(role, text, images, digestTools(tools));
}

function digestParts(
  role: Message["role"],
  text: string,
  images: Message["images"],
  toolsDigest: Digest | undefined,
): Digest {
  const trimmed = text.trim();
  const isAsItIs = simple.test(trimmed) || hasStackedMarks(trimmed);
  const composed = isAsItIs ? trimmed : trimmed.normalize("NFC");
  // Clients join the texts between calls in different ways.
  const canonical = toolsDigest === undefined ? composed : composed.replaceAll(/\s+/g, " ");
  const pictures = images.map(
    ({ mimeType, data, attachment }) => `\n${mimeType} ${attachment?.textDigest ?? hash("sha256", data)}`,
  );
  const parts = `${pictures.join("")}${toolsDigest === undefined ? "" : `\ntools ${toolsDigest}`}`;
  return hash("sha256", `${role}\n${Buffer.byteLength(canonical)}\n${canonical}${parts}`);
}

/**
 * Whether a character has more marks than {@link maxMarks}. Samples one place in so many first, since a
 * search of the whole text would take longer than all other work on it: a longer run of marks must cross a
 * sampled place.
 */
function hasStackedMarks(text: string): boolean {
  for (let place = maxMarks; place < text.length; place += maxMarks + 1)
    // With its neighbours: it may be half of a mark.
    if (mark.test(text.slice(place - 1, place + 2))) return stackedMarks.test(text);
  return false;
}

/** Returns the digest of a path that ends in a message with `contentDigest`, after the path `parent`. */
export function digestPath(parent: Digest | undefined, contentDigest: Digest): Digest {
  return hash("sha256", Buffer.from((parent ?? "") + contentDigest, "hex"));
}

/**
 * Returns the addresses of `messages`: a path from the root, or one that continues the path `anchor`. Its
 * last reply may have results that its client brings with the messages after it.
 */
export function addressMessages(messages: readonly Message[], anchor?: Digest): readonly AddressedMessage[] {
  let parent = anchor;
  const last = messages.findLast(({ role }) => role === "assistant");
  return messages.map((message) => {
    const hasResults =
      message === last && findLastCalls(message).some(({ outcome }) => outcome !== undefined);
    const addressed = hasResults ? addressAnswered(message, parent) : addressMessage(message, parent);
    parent = addressed.pathDigest;
    return addressed;
  });
}

/**
 * Returns the address of a reply with the results that its client brings, after the path `parent`. Before,
 * the calls of its last step had none.
 */
export function addressAnswered(reply: Message, parent: Digest | undefined): AnsweredReply {
  const lastCalls = new Set(findLastCalls(reply));
  const tools = reply.tools?.map((tool) => (lastCalls.has(tool) ? { ...tool, outcome: undefined } : tool));
  const earlier = digestMessage({ ...reply, tools });
  return {
    ...addressMessage(reply, parent),
    earlierDigests: earlier.contentDigests,
    earlierToolsDigest: earlier.toolsDigest,
  };
}

/** Returns the client's calls of a reply's last step. */
function findLastCalls({ tools = [] }: Message): readonly ToolPart[] {
  const lastStep = tools.reduce((highest, { step }) => Math.max(highest, step), 0);
  return tools.filter(({ runsOn, step }) => runsOn === "client" && step === lastStep);
}

function addressMessage(message: Message, parent: Digest | undefined): AddressedMessage {
  const { content, plan, toolsDigest, contentDigests } = digestMessage(message);
  const { role, text, images, id: sentId, clientId, after, tools } = message;
  return {
    role,
    imagesCount: images.length,
    ...(images.some(({ attachment }) => attachment !== undefined) && { images }),
    content,
    plan,
    sentId,
    clientId,
    after,
    ...(tools !== undefined && { tools: moveTools(tools, text, content), toolsDigest }),
    contentDigests,
    pathDigest: digestPath(parent, contentDigests[0]),
  };
}

/** Returns `tools` with their places in `content`, a part of `text`. */
function moveTools(tools: readonly ToolPart[], text: string, content: string): readonly ToolPart[] {
  if (content.length === text.length) return tools;
  const start = text.lastIndexOf(content);
  return tools.map((tool) => ({ ...tool, at: Math.min(Math.max(0, tool.at - start), content.length) }));
}

/** Returns a reply that was sent back, reduced to its answer. */
export function toAnswer(reply: Message): Message {
  const text = toSentAnswer(reply.text);
  const { tools } = reply;
  return { ...reply, text, ...(tools !== undefined && { tools: moveTools(tools, reply.text, text) }) };
}

/** A message's content and its digests. */
interface MessageDigests {
  readonly content: string;
  readonly plan: string | undefined;
  readonly toolsDigest: Digest | undefined;
  readonly contentDigests: readonly [Digest, ...Digest[]];
}

/** What is known of long messages, as long as they are used. */
const knownDigests = new WeakMap<Message, MessageDigests>();

/** Whether the texts of a chat are so long that {@link readLongChat} is to read them. */
export function isLongChat(messages: readonly Message[]): boolean {
  let length = 0;
  for (const { text } of messages) length += text.length;
  return length > maxAtOnceLength;
}

/**
 * Reads the texts of a long chat a message at a time, and remembers what a turn needs to know of them: read
 * at once, they hold up the event loop.
 */
export async function readLongChat(messages: readonly Message[]): Promise<void> {
  let length = 0;
  for (const message of messages) {
    knownDigests.set(message, findDigests(message));
    length += message.text.length;
    if (length < turnLength) continue;
    length = 0;
    await nextTurn();
  }
}

function digestMessage(message: Message): MessageDigests {
  return knownDigests.get(message) ?? findDigests(message);
}

function findDigests({ role, text, images, tools, isAnswer, plan }: Message): MessageDigests {
  const toolsDigest = digestTools(tools);
  const whole = text.trim();
  const digest = digestParts(role, text, images, toolsDigest);
  if (isAnswer === true) return { content: whole, plan, toolsDigest, contentDigests: [digest] };
  const content = role === "assistant" ? toSentAnswer(text) : whole;
  if (content === whole) return { content, plan: undefined, toolsDigest, contentDigests: [digest] };
  return {
    content,
    plan: splitSentReply(text).plan,
    toolsDigest,
    contentDigests: [digestParts("assistant", content, images, toolsDigest), digest],
  };
}
