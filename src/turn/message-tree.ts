/**
 * The address of a message: a digest of its content and of everything before it. Equal paths have equal
 * digests, so a resent history is found instead of stored again.
 */
import { hash } from "node:crypto";
import { findLineStart } from "./reply/boundary.ts";
import type { Message, Role } from "./message.ts";
import { splitSentReply } from "./reply/sent-reply.ts";
import { digestTools } from "./items/tool-digest.ts";
import type { ToolPart } from "./items/tool.ts";

/** SHA-256, as 64 hexadecimal digits. */
export type Digest = string;

/** Everything the store needs to find a message's row, or to create it. */
export interface AddressedMessage {
  readonly role: Role;
  readonly imagesCount: number;
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
  /** Digests of its content, the likeliest first: a reply's text may be an answer that holds a boundary. */
  readonly contentDigests: readonly Digest[];
  /** Digest of the path that ends in it, as its client sent it. */
  readonly pathDigest: Digest;
}

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
 * tool calls that its client runs, with their results.
 */
export function digestContent(
  role: Message["role"],
  text: string,
  images: Message["images"] = [],
  tools?: readonly ToolPart[],
): Digest {
  const trimmed = text.trim();
  const isAsItIs = simple.test(trimmed) || hasStackedMarks(trimmed);
  const canonical = isAsItIs ? trimmed : trimmed.normalize("NFC");
  const pictures = images.map(({ mimeType, data }) => `\n${mimeType} ${hash("sha256", data)}`);
  const calls = tools === undefined ? undefined : digestTools(tools);
  const suffix = calls === undefined ? "" : `\ntools ${calls}`;
  return hash(
    "sha256",
    `${role}\n${Buffer.byteLength(canonical)}\n${canonical}${pictures.join("")}${suffix}`,
  );
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

/** Returns the addresses of `messages`: a path from the root, or one that continues the path `anchor`. */
export function addressMessages(messages: readonly Message[], anchor?: Digest): readonly AddressedMessage[] {
  let parent = anchor;
  return messages.map((message) => {
    const { content, plan, contentDigests } = digestMessage(message);
    const pathDigest = digestPath(parent, contentDigests[0]);
    parent = pathDigest;
    const { role, images, id: sentId, clientId, after } = message;
    return {
      role,
      imagesCount: images.length,
      content,
      plan,
      sentId,
      clientId,
      after,
      contentDigests,
      pathDigest,
    };
  });
}

function digestMessage(message: Message): {
  content: string;
  plan: string | undefined;
  contentDigests: readonly [Digest, ...Digest[]];
} {
  const digest = digestContent(message.role, message.text, message.images);
  if (message.isAnswer === true)
    return { content: message.text.trim(), plan: message.plan, contentDigests: [digest] };
  if (message.role !== "assistant")
    return { content: message.text.trim(), plan: undefined, contentDigests: [digest] };
  const content = toSentAnswer(message.text);
  if (content === message.text.trim()) return { content, plan: undefined, contentDigests: [digest] };
  return {
    content,
    plan: splitSentReply(message.text).plan,
    contentDigests: [digestContent("assistant", content, message.images), digest],
  };
}
