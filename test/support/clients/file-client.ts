/** Images for tests, and a client that sends them and reads stored files as bytes. */
import { hash } from "node:crypto";
import { z } from "zod";
import type { RunningApp } from "../apps/start-app.ts";

const pngSignature = Buffer.from("89504e470d0a1a0a", "hex");

/** A file as it is sent. */
export interface TestFile {
  readonly mimeType: string;
  readonly bytes: Buffer;
  /** In base64. */
  readonly data: string;
  readonly url: string;
}

/** Returns a PNG by its first bytes, of `sizeBytes`; others follow from `seed`. */
export function makePng(seed: string, sizeBytes = 100): TestFile {
  const rest = Buffer.alloc(Math.max(0, sizeBytes - pngSignature.length));
  for (let index = 0; index < rest.length; index += 32)
    Buffer.from(hash("sha256", `${seed} ${index}`), "hex").copy(rest, index);
  return makeFile("image/png", Buffer.concat([pngSignature, rest]));
}

/** Returns a file of `bytes`. */
export function makeFile(mimeType: string, bytes: Buffer): TestFile {
  const data = bytes.toString("base64");
  return { mimeType, bytes, data, url: `data:${mimeType};base64,${data}` };
}

/** Returns a message of `POST /stream-chat` with images. */
export function toImageMessage(text: string, ...files: readonly TestFile[]): object {
  return {
    sender: "user",
    text,
    images: files.map(({ data, mimeType }) => ({ inlineData: { data, mimeType } })),
  };
}

/** A response with its bytes. */
interface FileResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

/** Requests `path`; resolves with the whole response. */
export async function readFile(
  app: RunningApp,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<FileResponse> {
  const response = await fetch(app.url + path, { method, headers });
  return {
    status: response.status,
    headers: response.headers,
    bytes: Buffer.from(await response.arrayBuffer()),
  };
}

const Parts = z.array(
  z.union([
    z.object({ type: z.literal("image_url"), image_url: z.object({ url: z.string() }) }),
    z.object({ type: z.literal("file"), file: z.object({ filename: z.string(), file_data: z.string() }) }),
    z.object({ type: z.literal("text"), text: z.string() }),
  ]),
);

/** Returns the data URLs in a message that a model was sent. */
export function listUrls(content: unknown): readonly string[] {
  const parts = Parts.safeParse(content).data ?? [];
  return parts.flatMap((part) => {
    if (part.type === "image_url") return [part.image_url.url];
    return part.type === "file" ? [part.file.file_data] : [];
  });
}
