/** The identity of a stored attachment, and the name of its file. */
import { hash } from "node:crypto";

/** A stored attachment, or one that is to be stored. Digests are 64 hexadecimal digits. */
export interface Attachment {
  /** The same for the same bytes, type and user: a UUID. */
  readonly id: string;
  /** The type that its first bytes have; its client may have named another one. */
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** SHA-256 of its bytes. */
  readonly digest: string;
  /** SHA-256 of its bytes in base64, as its client sent them: the digest of its message counts this one. */
  readonly textDigest: string;
}

/**
 * Returns the id of an attachment. It needs no look-up: a message can name its attachments before their bytes
 * are stored. Another user's attachment with the same bytes has a different id.
 */
export function toAttachmentId(userId: string | undefined, mediaType: string, digest: string): string {
  const name = hash("sha256", `foreword attachment\n${userId ?? ""}\n${mediaType}\n${digest}`);
  // A UUID of version 8, which no client library makes.
  return `${name.slice(0, 8)}-${name.slice(8, 12)}-8${name.slice(13, 16)}-8${name.slice(17, 20)}-${name.slice(20, 32)}`;
}

const maxNameLength = 120;

/**
 * Returns the name of a client's file, fit for a header, a row and a file system: its last part if it is a
 * path, without control and formatting characters, at most 120 characters; `undefined` if nothing is left.
 */
export function toFileName(text: string): string | undefined {
  const last =
    text
      .slice(-4 * maxNameLength)
      .split(/[/\\]/)
      .at(-1) ?? "";
  const clean = last
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]/gu, "")
    .trim();
  const characters = Array.from(clean);
  const name = characters.length > maxNameLength ? cutStem(characters) : clean;
  return /^\.*$/.test(name) ? undefined : name;
}

/** Keeps the extension of a long name. */
function cutStem(characters: readonly string[]): string {
  const extension = /\.[\w-]{1,16}$/.exec(characters.join(""))?.[0] ?? "";
  return characters.slice(0, maxNameLength - extension.length).join("") + extension;
}
