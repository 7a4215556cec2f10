/** Images and PDFs: read from the server, and made part of a message. */
import type { ChatImage } from "./chat-request.ts";
import type { RequestOptions, ServerCalls } from "./server-calls.ts";

type InlineData = Extract<ChatImage, { readonly inlineData: unknown }>["inlineData"];

/** The types of {@link InlineData}, by themselves. */
const mimeTypes: Readonly<Record<string, InlineData["mimeType"]>> = {
  "image/png": "image/png",
  "image/jpeg": "image/jpeg",
  "image/gif": "image/gif",
  "image/webp": "image/webp",
  "application/pdf": "application/pdf",
};

/** How many bytes are written as characters at once: a call takes so many arguments in every engine. */
const sliceBytes = 0x2000;

/**
 * Resolves with a file as an image of a `ChatMessage`: a `File`, with its name, or a `Blob`.
 * @throws TypeError if it is neither PNG, JPEG, GIF, WebP nor PDF by its `type`.
 */
export async function toChatImage(file: Blob & { readonly name?: string }): Promise<ChatImage> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let start = 0; start < bytes.length; start += sliceBytes)
    text += String.fromCharCode(...bytes.subarray(start, start + sliceBytes));
  return toInlineImage(btoa(text), file.type, file.name);
}

/** The same for `data` in base64. */
export function toInlineImage(data: string, type: string, name?: string): ChatImage {
  const mimeType = Object.hasOwn(mimeTypes, type) ? mimeTypes[type] : undefined;
  if (mimeType === undefined) throw new TypeError(`a file of type "${type}" cannot be sent`);
  return { inlineData: { data, mimeType }, name };
}

/** Resolves with a stored file, by its id or the `url` of an attachment. Other servers are never asked. */
export async function fetchFile(
  calls: ServerCalls,
  idOrUrl: string,
  options: RequestOptions | undefined,
): Promise<Blob> {
  const [, id = idOrUrl] = /\/files\/([^/?#]+)/.exec(idOrUrl) ?? [];
  return await calls.blob({ method: "GET", path: `/files/${encodeURIComponent(id)}` }, options);
}
