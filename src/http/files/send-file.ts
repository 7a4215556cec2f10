/** Sends a stored file as a download: whole, a range of its bytes, or the news that the client has it. */
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import { parseRange } from "./byte-range.ts";
import { startReading } from "./start-reading.ts";

/** The headers of a request for a file. */
export const FileHeaders = z.object({
  range: z.string().optional().describe("One range of bytes, like `bytes=0-1023`."),
  "if-range": z.string().optional().describe("The `ETag` for which `range` is meant."),
  "if-none-match": z.string().optional().describe("The `ETag` of a copy that the client has."),
});

/** A file to send. */
export interface SentFile {
  readonly mediaType: string;
  /** The name under which the client stores it. */
  readonly name: string;
  readonly sizeBytes: number;
  /** SHA-256 of its bytes, in hexadecimal digits. */
  readonly digest: string;
  /** Reads the bytes `start` to `end` (exclusive). */
  read(start: number, end: number): AsyncIterable<Buffer>;
}

/**
 * Sends `file`, which never changes.
 * @throws AppError `range_not_satisfiable`, or as its `read` does before the first byte.
 */
export async function sendFile(
  file: SentFile,
  headers: z.output<typeof FileHeaders>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const tag = `"${file.digest}"`;
  const cached = {
    etag: tag,
    "cache-control": "private, max-age=31536000, immutable",
    vary: "authorization",
  };
  if (matches(headers["if-none-match"], tag)) return await reply.code(304).headers(cached).send();
  const isCurrent = headers["if-range"] === undefined || headers["if-range"] === tag;
  const range = isCurrent ? parseRange(headers.range, file.sizeBytes) : undefined;
  if (range === "unsatisfiable") {
    void reply.header("content-range", `bytes */${file.sizeBytes}`);
    throw new AppError("range_not_satisfiable", `${headers.range} of ${file.sizeBytes} bytes`);
  }
  const { start, end } = range ?? { start: 0, end: file.sizeBytes };
  const chunks = request.method === "HEAD" ? undefined : await startReading(file.read(start, end));
  void reply.headers({ ...cached, ...toHeaders(file), "content-length": end - start });
  if (range !== undefined)
    void reply.code(206).header("content-range", `bytes ${start}-${end - 1}/${file.sizeBytes}`);
  // For HEAD an empty stream: the framework would set the length of any other body.
  return await reply.send(Readable.from(chunks ?? []));
}

function toHeaders({ mediaType, name }: SentFile): Record<string, string> {
  const fileName = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return {
    "content-type": mediaType,
    "content-disposition": `attachment; filename*=UTF-8''${fileName}`,
    // Whatever the file holds, a page that is made of it can do nothing.
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "accept-ranges": "bytes",
  };
}

function matches(header: string | undefined, tag: string): boolean {
  return header?.split(",").some((part) => ["*", tag, `W/${tag}`].includes(part.trim())) === true;
}
