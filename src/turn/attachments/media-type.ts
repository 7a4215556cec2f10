/** Checks that the bytes of a file are of the type that its client names. */
import { attachmentTypes, type AttachmentType } from "../message.ts";

/** The bytes that a file of each type starts with; `undefined` stands for any byte. */
const signatures: Readonly<Record<AttachmentType, readonly (readonly (number | undefined)[])[]>> = {
  "image/png": [[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  "image/jpeg": [[0xff, 0xd8, 0xff]],
  "image/gif": [toBytes("GIF87a"), toBytes("GIF89a")],
  "image/webp": [[...toBytes("RIFF"), undefined, undefined, undefined, undefined, ...toBytes("WEBP")]],
  "application/pdf": [toBytes("%PDF-")],
};

/** How much of a file is looked at, in characters of base64 and in bytes. */
const sampleLength = 16;

function toBytes(text: string): readonly number[] {
  return Array.from(Buffer.from(text));
}

/**
 * Returns the type of a file by its first bytes; `undefined` if it is none that messages can hold. `data` is
 * base64, and may be cut off after its start. A file shorter than a signature counts as far as it goes.
 */
export function findType(data: string): AttachmentType | undefined {
  const bytes = Buffer.from(data.slice(0, sampleLength), "base64");
  return attachmentTypes.find((type) =>
    signatures[type].some((signature) =>
      signature.every((byte, index) => byte === undefined || index >= bytes.length || bytes[index] === byte),
    ),
  );
}

/** Whether `data` can be sent as `type`. Images are often named for another type of image. */
export function isOfType(data: string, type: AttachmentType): boolean {
  const found = findType(data);
  return found !== undefined && isPdf(found) === isPdf(type);
}

function isPdf(type: AttachmentType): boolean {
  return type === "application/pdf";
}
