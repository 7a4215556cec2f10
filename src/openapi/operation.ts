/** Owns what the document says of one route: an entry of the lists beside this file. */
import type { z } from "zod";
import type { ErrorCode } from "../base/errors.ts";
import type { ResponseHeader } from "./response-headers.ts";

/** A body: text; JSON of a schema that has a name; or a stream whose events are each of such a schema. */
export type Content =
  | { readonly type: "text"; readonly description: string }
  | { readonly type: "json"; readonly schema: z.ZodType }
  | { readonly type: "events"; readonly schemas: readonly z.ZodType[]; readonly description: string };

/** An answer that is no error. */
export interface DocumentedResponse {
  readonly status: number;
  readonly description: string;
  /** By media type; none where there is no body. */
  readonly content?: Readonly<Record<string, Content>>;
  /** Headers that are always there, and those that may be. */
  readonly headers?: readonly ResponseHeader[];
  readonly optionalHeaders?: readonly ResponseHeader[];
}

/** A route. */
export interface Operation {
  readonly id: string;
  readonly method: "get" | "post" | "patch" | "delete";
  /** As the router has it: `/turns/:turnId`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** The schemas that its address, query and headers are parsed with, and an example of each path parameter. */
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  /** The schema that its body is parsed with, its name in the document, and requests that work. */
  readonly body?: {
    readonly name: string;
    readonly schema: z.ZodType;
    readonly isOptional?: boolean;
    readonly examples: Readonly<Record<string, object>>;
  };
  readonly responses: readonly DocumentedResponse[];
  /** The codes that it may fail with, beside those that any route may. */
  readonly errors: readonly ErrorCode[];
  /** What a problem of it has beside the standard's fields, as a schema that has a name. */
  readonly problem?: z.ZodType;
  /** Whether nobody is asked who they are. */
  readonly isOpen?: boolean;
}

/** The codes of a turn that does not come to its end. */
export const turnErrors: readonly ErrorCode[] = [
  "model_rate_limited",
  "model_unavailable",
  "model_refused",
  "model_unauthorized",
  "model_no_credit",
  "model_not_found",
  "model_filtered",
  "context_too_long",
  "model_silent",
  "model_stalled",
  "model_truncated",
  "model_failed",
  "model_invalid_stream",
  "empty_reply",
  "empty_answer",
  "reply_too_large",
  "interrupted",
];

/** The codes of what only the store can answer. */
export const storeErrors: readonly ErrorCode[] = [
  "store_unavailable",
  "store_full",
  "store_read_only",
  "store_refused",
  "write_rejected",
  "store_schema_missing",
  "store_schema_mismatch",
];

/** The codes of a request that starts a turn. */
export const startErrors: readonly ErrorCode[] = [
  "conversation_not_found",
  "turn_exists",
  "idempotency_mismatch",
  "message_too_large",
  "too_many_turns",
  "quota_exhausted",
  "server_stopping",
];
