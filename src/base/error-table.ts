/** Every error of Foreword: its code, its status, and the sentence that clients see. */
import { maxReplyBytes, mebibyte } from "./sizes.ts";

interface ErrorDefinition {
  /** HTTP status when nothing has been sent yet. */
  readonly status: number;
  /** Whether sending the same request again may succeed. */
  readonly retryable: boolean;
  /** The sentence that clients see; never text from a model, a database or a stack trace. */
  readonly publicMessage: string;
}

/** Every error code, with its status and sentence. Codes never change meaning; docs/errors.md lists fixes. */
export const errorTable = {
  invalid_request: { status: 400, retryable: false, publicMessage: "The request is invalid." },
  invalid_json: {
    status: 400,
    retryable: false,
    publicMessage: "The body is not valid JSON, or has a key like `__proto__`.",
  },
  unauthenticated: {
    status: 401,
    retryable: false,
    publicMessage: "Authentication is required, or the credentials are invalid.",
  },
  user_mismatch: {
    status: 403,
    retryable: false,
    publicMessage: "The user in the request does not match the authenticated user.",
  },
  origin_not_allowed: {
    status: 403,
    retryable: false,
    publicMessage:
      "Requests from this origin are not allowed. The server's operator can allow it with CORS_ALLOW_ORIGINS.",
  },
  host_not_allowed: {
    status: 421,
    retryable: false,
    publicMessage:
      "The Host header does not name this server. The server's operator can allow it with ALLOWED_HOSTS.",
  },
  not_acceptable: {
    status: 406,
    retryable: false,
    publicMessage: "None of the media types in Accept is available here.",
  },
  not_found: { status: 404, retryable: false, publicMessage: "There is nothing at this URL." },
  conversation_not_found: { status: 404, retryable: false, publicMessage: "The conversation was not found." },
  message_not_found: { status: 404, retryable: false, publicMessage: "The message was not found." },
  previous_response_not_found: { status: 400, retryable: false, publicMessage: "No such response exists." },
  file_not_found: { status: 404, retryable: false, publicMessage: "The file was not found." },
  knowledge_base_not_found: {
    status: 404,
    retryable: false,
    publicMessage: "The knowledge base was not found.",
  },
  document_not_found: { status: 404, retryable: false, publicMessage: "The document was not found." },
  history_off: { status: 404, retryable: false, publicMessage: "History is not available on this server." },
  model_not_found: { status: 404, retryable: false, publicMessage: "The model was not found." },
  conversation_exists: {
    status: 409,
    retryable: false,
    publicMessage: "This conversation id has already been used.",
  },
  request_timeout: { status: 408, retryable: true, publicMessage: "The request did not arrive in time." },
  turn_exists: { status: 409, retryable: false, publicMessage: "This turn id has already been used." },
  turn_running: {
    status: 409,
    retryable: true,
    publicMessage: "A reply is still in progress in this conversation. Wait for it to finish, or stop it.",
  },
  turn_not_waiting: { status: 409, retryable: false, publicMessage: "The turn waits for no approval." },
  approval_not_found: { status: 404, retryable: false, publicMessage: "The approval was not found." },
  approval_settled: { status: 409, retryable: false, publicMessage: "The approval was answered before." },
  approval_expired: { status: 409, retryable: false, publicMessage: "The approval came too late." },
  idempotency_mismatch: {
    status: 409,
    retryable: false,
    publicMessage: "The idempotency key was already used with a different request.",
  },
  method_not_allowed: {
    status: 405,
    retryable: false,
    publicMessage: "This URL does not support that method.",
  },
  body_too_large: { status: 413, retryable: false, publicMessage: "The request body is too large." },
  message_too_large: { status: 413, retryable: false, publicMessage: "A message is too large." },
  storage_full: {
    status: 413,
    retryable: false,
    publicMessage:
      "There is no room for more images and files. Delete conversations that have some, then send the message again.",
  },
  search_unavailable: {
    status: 503,
    retryable: true,
    publicMessage: "The search is not available. Try again shortly.",
  },
  document_type_unknown: {
    status: 415,
    retryable: false,
    publicMessage: "This document is none of PDF, Word (docx), HTML, Markdown, CSV and plain text.",
  },
  document_unreadable: {
    status: 422,
    retryable: false,
    publicMessage: "The document is damaged, or is not what its first bytes say.",
  },
  document_encrypted: {
    status: 422,
    retryable: false,
    publicMessage: "The document needs a password. Save it without one, then upload it again.",
  },
  document_has_no_text: {
    status: 422,
    retryable: false,
    publicMessage:
      "The document has no text. If it is a scan, recognize its text first, then upload it again.",
  },
  document_too_large: {
    status: 413,
    retryable: false,
    publicMessage: "The document has too many pages or too much text, or takes too long to read. Divide it.",
  },
  knowledge_full: {
    status: 413,
    retryable: false,
    publicMessage: "There is no room for more documents. Delete some, then add this one again.",
  },
  range_not_satisfiable: {
    status: 416,
    retryable: false,
    publicMessage: "The file does not have the requested bytes.",
  },
  unsupported_media_type: {
    status: 415,
    retryable: false,
    publicMessage: "The body must be uncompressed application/json.",
  },
  rate_limited: {
    status: 429,
    retryable: true,
    publicMessage: "Too many requests this minute. Try again shortly.",
  },
  too_many_turns: {
    status: 429,
    retryable: true,
    publicMessage: "Too many replies are in progress. Wait for one to finish, or stop one.",
  },
  quota_exhausted: {
    status: 429,
    retryable: false,
    publicMessage: "Not enough of today's token quota is left.",
  },
  budget_exhausted: { status: 429, retryable: false, publicMessage: "Not enough of today's budget is left." },
  server_busy: {
    status: 503,
    retryable: true,
    publicMessage: "The server is already reading as many large requests as it can. Try again shortly.",
  },
  server_stopping: {
    status: 503,
    retryable: true,
    publicMessage: "The server is shutting down. Try again shortly.",
  },
  identity_unavailable: {
    status: 503,
    retryable: true,
    publicMessage: "Credentials cannot be verified right now. Try again shortly.",
  },
  internal_error: { status: 500, retryable: true, publicMessage: "Something went wrong on the server." },

  model_rate_limited: {
    status: 429,
    retryable: true,
    publicMessage: "The model is receiving too many requests. Try again later.",
  },
  model_unavailable: { status: 503, retryable: true, publicMessage: "The model cannot be reached." },
  model_refused: { status: 502, retryable: false, publicMessage: "The model refused the request." },
  request_refused: {
    status: 400,
    retryable: false,
    publicMessage: "The model rejected a message or parameter of this request.",
  },
  model_unauthorized: {
    status: 502,
    retryable: false,
    publicMessage: "The model rejected this server's API key.",
  },
  model_no_credit: {
    status: 502,
    retryable: false,
    publicMessage: "The account with the model provider has no credit left.",
  },
  file_refused: { status: 400, retryable: false, publicMessage: "The PDF cannot be read. Paste its text." },
  model_filtered: {
    status: 400,
    retryable: false,
    publicMessage: "The model's content filter blocked this request. Rephrase the message.",
  },
  context_too_long: {
    status: 400,
    retryable: false,
    publicMessage: "The chat is too long for the model's context window. Shorten it, or start a new one.",
  },
  model_silent: { status: 504, retryable: true, publicMessage: "The model did not respond in time." },
  model_stalled: {
    status: 504,
    retryable: true,
    publicMessage: "The model stopped in the middle of its reply.",
  },
  model_truncated: { status: 502, retryable: true, publicMessage: "The model's reply was cut off." },
  model_failed: { status: 502, retryable: true, publicMessage: "The model reported an error." },
  model_invalid_stream: {
    status: 502,
    retryable: false,
    publicMessage: "The model's response could not be read.",
  },
  empty_reply: { status: 502, retryable: true, publicMessage: "The model's reply was empty." },
  empty_answer: { status: 502, retryable: true, publicMessage: "The model wrote a plan but no answer." },
  reply_too_large: {
    status: 502,
    retryable: false,
    publicMessage: `The model's reply is larger than ${maxReplyBytes / mebibyte} MiB.`,
  },
  interrupted: {
    status: 503,
    retryable: true,
    publicMessage: "The server stopped before the reply was complete.",
  },
  turn_stopped: { status: 409, retryable: false, publicMessage: "The reply was stopped." },

  store_unavailable: { status: 503, retryable: true, publicMessage: "The database cannot be reached." },
  store_full: { status: 503, retryable: true, publicMessage: "The database's disk is full." },
  store_read_only: { status: 503, retryable: true, publicMessage: "The database is read-only." },
  store_refused: { status: 503, retryable: false, publicMessage: "The database refused the request." },
  write_rejected: {
    status: 503,
    retryable: false,
    publicMessage: "The database permanently rejected this write.",
  },
  store_schema_missing: {
    status: 503,
    retryable: false,
    publicMessage: "Foreword's database schema is not installed.",
  },
  store_schema_mismatch: {
    status: 503,
    retryable: false,
    publicMessage: "The database has an incompatible version of Foreword's schema.",
  },
  store_locked: {
    status: 503,
    retryable: false,
    publicMessage: "Another process is using the embedded database.",
  },
} as const satisfies Record<string, ErrorDefinition>;
