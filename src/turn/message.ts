/** A message of a chat: its author, its text, its images, and the tool calls of a reply. */
import type { Attachment } from "./attachments/attachment.ts";
import type { ToolPart } from "./items/tool.ts";

/** The authors a message can have. */
export const roles = ["user", "assistant", "system"] as const;
/** Who wrote a message. */
export type Role = (typeof roles)[number];

/** The image types that are passed to the model. */
const imageTypes = ["image/png", "image/jpeg", "image/gif", "image/webp"] as const;

/** The types of files that messages can hold: images, and PDFs for models that read them. */
export const attachmentTypes = [...imageTypes, "application/pdf"] as const;
/** One of {@link attachmentTypes}. */
export type AttachmentType = (typeof attachmentTypes)[number];

/** An image or a PDF of a message. */
export interface Image {
  readonly mimeType: AttachmentType;
  /** Base64 without a data URL's prefix; empty for a stored one until it is loaded. */
  readonly data: string;
  /** The name of its file, if known. */
  readonly name?: string | undefined;
  /** Set if its client names a stored one by its id, in this field of the request: its type is unknown. */
  readonly link?: { readonly id: string; readonly field: string } | undefined;
  /** Its identity, if it is stored or is to be stored. */
  readonly attachment?: Attachment | undefined;
}

/** A message of a chat. `text` is storable; it may be empty if there are images. */
export interface Message {
  readonly role: Role;
  readonly text: string;
  readonly images: readonly Image[];
  /** The tool calls of a reply, in their order; absent if it has none. */
  readonly tools?: readonly ToolPart[] | undefined;
  /** Whether `text` is a reply's answer alone, from a wire that sends plan and answer apart. */
  readonly isAnswer?: boolean;
  /** The plan of such a reply, if it was sent back too, and its id. */
  readonly plan?: string | undefined;
  readonly id?: string | undefined;
  /** The client's own id for it, if not one of ours. */
  readonly clientId?: string | undefined;
  /** The turn whose reply stands before it, if its client has seen no text of that reply. */
  readonly after?: string | undefined;
  /** The id of its row, and the bytes of its path before it, if it was read from the store. */
  readonly rowId?: string | undefined;
  readonly pathBytes?: number | undefined;
  /** The stored summary of the path that ends in it, if it was read with the path. */
  readonly summary?: string | undefined;
}

/** Whether a message holds anything for a model: text, a user's image, or a tool call. */
export function isNotEmpty({ role, text, images, tools }: Message): boolean {
  return text.trim() !== "" || (role === "user" && images.length > 0) || tools !== undefined;
}

const rolesBySender: Readonly<Record<string, Role>> = {
  assistant: "assistant",
  gpt: "assistant",
  ai: "assistant",
  bot: "assistant",
  system: "system",
};

/** Returns the role for a frontend's `sender`, in any case; an unknown sender is a user. */
export function toRole(sender: string): Role {
  const name = sender.trim().toLowerCase();
  return Object.hasOwn(rolesBySender, name) ? (rolesBySender[name] ?? "user") : "user";
}

/**
 * Returns `text` as every database can hold it: NUL and half a surrogate pair, which Postgres or JSON refuse,
 * become U+FFFD. Done once, when text enters, so that a client sees exactly the text in the row.
 */
export function toStorable(text: string): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed();
  return wellFormed.includes("\0") ? wellFormed.replaceAll("\0", "\uFFFD") : wellFormed;
}

const maxTitleLength = 40;
/** The title of a conversation without a question that has text. */
export const untitled = "New Chat";
/** Text in which each code unit is a character of its own. */
// eslint-disable-next-line no-control-regex
const plainText = /^[\u0000-\u02FF]*$/;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/**
 * Returns a conversation's title: the newest user message that has text, with white space folded, cut between
 * characters to at most 40 code points.
 */
export function toTitle(messages: readonly Message[]): string {
  const newest = messages.findLast((message) => message.role === "user" && message.text !== "");
  const folded = newest?.text.replaceAll(/\s+/g, " ") ?? "";
  const title = cutTitle(folded, maxTitleLength).trim();
  return title === "" ? untitled : title;
}

/** Returns the start of `text`, cut between characters to at most `maxLength` code points. */
export function cutTitle(text: string, maxLength: number): string {
  // Enough to end the character at the limit, in UTF-16 code units.
  const sample = text.slice(0, 4 * maxLength);
  if (plainText.test(sample)) return sample.slice(0, maxLength);
  let title = "";
  let length = 0;
  for (const { segment } of graphemes.segment(sample)) {
    const points = Array.from(segment);
    // No language has a character that is longer than a title.
    if (length === 0 && points.length > maxLength) return points.slice(0, maxLength).join("");
    length += points.length;
    if (length > maxLength) break;
    title += segment;
  }
  return title;
}
