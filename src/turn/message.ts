/** Owns what a message is inside Foreword: who says it, its text, its images. */

/** The authors a message can have. */
export const roles = ["user", "assistant", "system"] as const;
/** Who wrote a message. */
export type Role = (typeof roles)[number];

/** The image types a model is sent. */
export const imageTypes = ["image/png", "image/jpeg", "image/gif", "image/webp"] as const;

/** An image as it came inline: base64 without a data URL's prefix. */
export interface Image {
  readonly mimeType: (typeof imageTypes)[number];
  readonly data: string;
}

/** A message of a chat. `text` is storable; it may be empty where there are images. */
export interface Message {
  readonly role: Role;
  readonly text: string;
  readonly images: readonly Image[];
  /** Of a reply that comes back on a wire that tells it apart from its plan: whether `text` is the answer alone, as it was sent. */
  readonly isAnswer?: boolean;
  /** The plan of such a reply, where that came back too, and its id. */
  readonly plan?: string | undefined;
  readonly id?: string | undefined;
  /** What its client calls it, if that is no id of ours. */
  readonly clientId?: string | undefined;
  /** The turn whose reply stands before it, if its client has seen no text of that reply. */
  readonly after?: string | undefined;
}

/** Whether there is anything in a message for a model: a text, or a user's image. */
export function saysSomething({ role, text, images }: Message): boolean {
  return text.trim() !== "" || (role === "user" && images.length > 0);
}

const rolesBySender: Readonly<Record<string, Role>> = {
  assistant: "assistant",
  gpt: "assistant",
  ai: "assistant",
  bot: "assistant",
  system: "system",
};

/** Returns the role that a frontend's `sender` names, whatever its case; any that is not known is a user. */
export function toRole(sender: string): Role {
  const name = sender.trim().toLowerCase();
  return Object.hasOwn(rolesBySender, name) ? (rolesBySender[name] ?? "user") : "user";
}

/**
 * Returns `text` as every database can hold it: a NUL and half of a surrogate pair, which Postgres or JSON refuse,
 * become U+FFFD. Done once, where text enters, so that what a client sees and what a row holds are equal.
 */
export function toStorable(text: string): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed();
  return wellFormed.includes("\0") ? wellFormed.replaceAll("\0", "\uFFFD") : wellFormed;
}

const maxTitleLength = 40;
/** How much of a long text is segmented: enough to find the end of the character at the title's limit. */
const titleSample = 4 * maxTitleLength;
/** What is one character in each place. */
// eslint-disable-next-line no-control-regex
const plainText = /^[\u0000-\u02FF]*$/;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/**
 * Returns a conversation's title: the newest user message that has text, its white space folded, at most 40 code points, none of them a
 * part of a character that is cut.
 */
export function toTitle(messages: readonly Message[]): string {
  const newest = messages.findLast((message) => message.role === "user" && message.text !== "");
  const folded = newest?.text.replaceAll(/\s+/g, " ") ?? "";
  const title = cutTitle(folded).trim();
  return title === "" ? "New Chat" : title;
}

function cutTitle(text: string): string {
  const sample = text.slice(0, titleSample);
  if (plainText.test(sample)) return sample.slice(0, maxTitleLength);
  let title = "";
  let length = 0;
  for (const { segment } of graphemes.segment(sample)) {
    const points = Array.from(segment);
    // One that is longer than a title is no character of any language.
    if (length === 0 && points.length > maxTitleLength) return points.slice(0, maxTitleLength).join("");
    length += points.length;
    if (length > maxTitleLength) break;
    title += segment;
  }
  return title;
}
