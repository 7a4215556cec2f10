/**
 * Owns the address of a message: a digest of what it says and of everything before it. Equal paths have equal
 * digests, so a history that is sent again is found, not stored again.
 */
import { hash } from "node:crypto";
import { findLineStart } from "./reply/boundary.ts";
import type { Message, Role } from "./message.ts";
import { splitSentReply } from "./reply/sent-reply.ts";

/** SHA-256, as 64 hexadecimal digits. */
export type Digest = string;

/** All that the store needs to find a message's row, or to make it. */
export interface AddressedMessage {
  readonly role: Role;
  readonly imagesCount: number;
  /** What the row holds: the answer alone of a reply that came back with its plan. */
  readonly content: string;
  /** The plan of such a reply; `undefined` when there was none in the text. */
  readonly plan: string | undefined;
  /** The id that its client knows it by, where that is one of ours: of a reply. */
  readonly sentId?: string | undefined;
  /** What its client calls it otherwise. */
  readonly clientId?: string | undefined;
  /** The turn of the reply before it, if its client has seen no text of that reply. */
  readonly after?: string | undefined;
  /** Digests of what it says, the likeliest first: a reply's text may be an answer that itself holds a boundary. */
  readonly contentDigests: readonly Digest[];
  /** Digest of the path that ends in it, as its sender tells it. */
  readonly pathDigest: Digest;
}

/** How the line starts that ends a reply that broke off, as a frontend may send it back. */
const errorLine = /^\[error\] [a-z_]+: /;

const mark = /\p{M}/u;
/** More marks on one character than any language writes: composing such a text takes quadratic time (measured). */
const maxMarks = 30;
const stackedMarks = new RegExp(`\\p{M}{${maxMarks + 1}}`, "u");

/** What has no other form: marks, and all that is made of them, come after these. */
// eslint-disable-next-line no-control-regex
const simple = /^[\u0000-\u02FF]*$/;

/** Returns a reply's text, as a frontend sends it back, without what the wire added: plan, boundary, `[error]` line. */
export function toSentAnswer(text: string): string {
  const answer = splitSentReply(text).answer.trim();
  const lastLine = findLineStart(answer);
  return errorLine.test(answer.slice(lastLine)) ? answer.slice(0, lastLine).trim() : answer;
}

/** Returns the digest of what one message says: its role, its canonical text (trimmed, NFC) and its images. */
export function digestContent(role: Message["role"], text: string, images: Message["images"] = []): Digest {
  const trimmed = text.trim();
  const isAsItIs = simple.test(trimmed) || hasStackedMarks(trimmed);
  const canonical = isAsItIs ? trimmed : trimmed.normalize("NFC");
  const pictures = images.map(({ mimeType, data }) => `\n${mimeType} ${hash("sha256", data)}`);
  return hash("sha256", `${role}\n${Buffer.byteLength(canonical)}\n${canonical}${pictures.join("")}`);
}

/**
 * Whether a character has more marks than {@link maxMarks}. One in so many places is looked at first, since to look at all of them
 * takes longer than all else that is done with a text: no longer run of marks lies between two of those.
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

/** Returns `messages`, a whole path from the root or what follows the path `anchor`, each with its address. */
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
