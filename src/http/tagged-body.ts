/** Bodies that clients keep, and ask for again with the tag of their copy. */
import { hash } from "node:crypto";
import type { FastifyReply } from "fastify";
import { z } from "zod";

/** A body with its media type, headers and entity tag. */
export interface TaggedBody {
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly tag: string;
}

/** The header with the tag of a client's copy. */
export const CachedCopy = z.object({
  "if-none-match": z.string().optional().describe("The `ETag` of the client's copy."),
});

/** Returns `text` with the tag that its contents have. */
export function toTagged(text: string, type: string, headers: TaggedBody["headers"] = {}): TaggedBody {
  return { type, headers, text, tag: `"${hash("sha256", text, "base64url").slice(0, 22)}"` };
}

/** Sends a body that clients may cache as long as they revalidate it; 304 if `known` names its tag. */
export function sendTagged(reply: FastifyReply, body: TaggedBody, known = ""): FastifyReply {
  const { type, headers, text, tag } = body;
  // Also with a 304: browsers replace the headers of their copy with those of the response.
  void reply.headers({ ...headers, "cache-control": "no-cache", etag: tag });
  if (known.split(",").some((name) => name.trim().replace(/^W\//, "") === tag)) return reply.code(304).send();
  return reply.header("content-type", `${type}; charset=utf-8`).send(text);
}
