/** Owns the headers of answers: what each means, and how the document has them. */
import { z } from "zod";
import { Id } from "./response-schema.ts";
import { toJsonSchema, type JsonSchema } from "./json-schema.ts";

const responseHeaders = {
  "X-Turn-Id": { description: "The turn's id.", schema: Id },
  "X-Conversation-Id": {
    description:
      "The conversation it belongs to; absent where the store has not said in time which stored one it continues.",
    schema: Id,
  },
  "X-Request-Id": {
    description:
      "The request's id, which the log has too; of a chat completion the turn's id, where OpenAI's clients look for one.",
    schema: Id,
  },
  "Idempotency-Replayed": {
    description: "An earlier request under the same key has started the turn.",
    schema: z.literal("true"),
  },
  "Retry-After": { description: "How long to wait, in seconds.", schema: z.string().regex(/^\d+$/) },
  "RateLimit-Policy": {
    description: 'A limit of the user\'s: how much, in how many seconds. `"requests";q=120;w=60`',
    schema: z.string(),
  },
  RateLimit: {
    description: 'How much of it is left, and in how many seconds there is all again. `"requests";r=97;t=42`',
    schema: z.string(),
  },
  "X-Should-Retry": {
    description: "Whether asking again may help, for OpenAI's clients.",
    schema: z.enum(["true", "false"]),
  },
  "WWW-Authenticate": {
    description:
      'How to authenticate; with `error="invalid_token"` if the credentials that came are not valid (RFC 6750).',
    schema: z
      .string()
      .regex(/^Bearer (?:realm="Foreword"|error="invalid_token", error_description="[^"\\]+")$/),
  },
  "X-Vercel-Ai-Ui-Message-Stream": { description: "The version of the protocol.", schema: z.literal("v1") },
  "X-Accel-Buffering": { description: "Keeps proxies from holding the stream.", schema: z.literal("no") },
  Location: { description: "The address of what was made.", schema: z.string() },
  "Content-Disposition": { description: "A name for the file.", schema: z.string() },
  ETag: {
    description: "Changes with the content: send it as `If-None-Match` to get a 304.",
    schema: z.string(),
  },
} as const;

/** A header that the document knows. */
export type ResponseHeader = keyof typeof responseHeaders;

/** Those of a request that counts, where the user has limits. */
export const limitHeaders: readonly ResponseHeader[] = ["RateLimit-Policy", "RateLimit"];

/** A header, as the document has it. */
export interface HeaderObject {
  readonly description: string;
  readonly required: boolean;
  readonly schema: JsonSchema;
}

/** Returns headers as the document has them: those that are always there, and those that may be. */
export function toHeaders(
  always: readonly ResponseHeader[],
  maybe: readonly ResponseHeader[],
): { readonly headers?: Readonly<Record<string, HeaderObject>> } {
  const entries = [...always, ...maybe].map((name): [string, HeaderObject] => {
    const { description, schema } = responseHeaders[name];
    return [name, { description, required: always.includes(name), schema: toJsonSchema(schema) }];
  });
  return entries.length === 0 ? {} : { headers: Object.fromEntries(entries) };
}
