/** The headers of responses, with their meanings. */
import { z } from "zod";
import { Id } from "./response-schema.ts";

/** The headers that the OpenAPI document describes. */
export const responseHeaders = {
  "X-Turn-Id": { description: "The turn's id.", schema: Id },
  "X-Conversation-Id": {
    description:
      "The turn's conversation; absent if the database did not say in time which stored conversation the turn continues.",
    schema: Id,
  },
  "X-Model": {
    description:
      "The configured name of the model that replies, percent-encoded if need be; absent if the status was sent before that was known.",
    schema: z.string().regex(/^[!-~]+$/),
  },
  "X-Model-Attempts": {
    description:
      "The models that failed before it, in this order: `primary=model_unavailable, second=model_silent`; absent if none did.",
    schema: z.string().regex(/^[!-~]+=[a-z_]+(?:, [!-~]+=[a-z_]+)*$/),
  },
  "X-Request-Id": {
    description:
      "The request's id, also in the server's log. For chat completions the turn's id, since OpenAI's clients read it here.",
    schema: Id,
  },
  "Idempotency-Replayed": {
    description: "An earlier request with the same idempotency key started this turn.",
    schema: z.literal("true"),
  },
  "X-Running-Turn-Id": {
    description: "With `turn_running`: the turn in progress, to follow or to stop.",
    schema: Id,
  },
  "Retry-After": {
    description: "Seconds to wait before the next attempt.",
    schema: z.string().regex(/^\d+$/),
  },
  "RateLimit-Policy": {
    description: 'A limit of the user: quota and window in seconds, as in `"requests";q=120;w=60`.',
    schema: z.string(),
  },
  RateLimit: {
    description: 'What is left of the limit, and seconds until it resets, as in `"requests";r=97;t=42`.',
    schema: z.string(),
  },
  "X-Should-Retry": {
    description: "Tells OpenAI's clients whether to retry.",
    schema: z.enum(["true", "false"]),
  },
  "WWW-Authenticate": {
    description:
      'How to authenticate; has `error="invalid_token"` if the given credentials are invalid (RFC 6750).',
    schema: z
      .string()
      .regex(/^Bearer (?:realm="Foreword"|error="invalid_token", error_description="[^"\\]+")$/),
  },
  "X-Vercel-Ai-Ui-Message-Stream": { description: "The protocol version.", schema: z.literal("v1") },
  "X-Accel-Buffering": { description: "Stops proxies from buffering the stream.", schema: z.literal("no") },
  Link: {
    description: 'With `rel="next"`: the path of the page with older messages, if there are any.',
    schema: z.string().regex(/^<[^>]+>; rel="next"$/),
  },
  Location: { description: "The path of the new resource.", schema: z.string() },
  "Content-Disposition": { description: "A file name.", schema: z.string() },
  "Accept-Ranges": { description: "Ranges of bytes may be requested.", schema: z.literal("bytes") },
  "Content-Range": {
    description: "The bytes of the response, and the size of the file: `bytes 0-1023/4096`.",
    schema: z.string(),
  },
  "Content-Encoding": { description: "How the body is compressed.", schema: z.enum(["br", "gzip"]) },
  ETag: {
    description: "Identifies this version: send it as `If-None-Match` to get a 304 while it is current.",
    schema: z.string(),
  },
} as const;

/** A header that the document describes. */
export type ResponseHeader = keyof typeof responseHeaders;

/** Headers of every response to an authenticated request, if the user has limits. */
export const limitHeaders: readonly ResponseHeader[] = ["RateLimit-Policy", "RateLimit"];

/** Headers of replies, if the model is known when the status is sent. */
export const modelHeaders: readonly ResponseHeader[] = ["X-Model", "X-Model-Attempts"];
