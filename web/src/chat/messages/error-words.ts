/** What an error code means for the user, and what to do. */
import type { Strings } from "../../strings/strings.ts";

type Problem = Exclude<keyof Strings["chat"]["errors"], "other">;

const problems: Readonly<Record<string, Problem>> = {
  connection_lost: "connection",
  http_error: "connection",
  server_stopping: "connection",
  rate_limited: "busy",
  too_many_turns: "busy",
  server_busy: "busy",
  model_rate_limited: "busy",
  quota_exhausted: "quota",
  budget_exhausted: "quota",
  unauthenticated: "signIn",
  user_mismatch: "signIn",
  turn_running: "turnRunning",
  body_too_large: "tooLarge",
  message_too_large: "tooLarge",
  invalid_request: "refused",
  unsupported_media_type: "refused",
  storage_full: "storageFull",
  context_too_long: "contextTooLong",
  model_filtered: "filtered",
  file_refused: "fileRefused",
  file_lost: "fileLost",
  model_not_found: "modelMissing",
  model_unavailable: "modelDown",
  model_silent: "modelDown",
  model_stalled: "modelStalled",
  model_truncated: "modelStalled",
  model_failed: "modelFailed",
  empty_reply: "modelFailed",
  empty_answer: "modelFailed",
  model_refused: "operator",
  request_refused: "operator",
  model_unauthorized: "operator",
  model_no_credit: "operator",
  model_invalid_stream: "operator",
  reply_too_large: "replyTooLarge",
  approval_settled: "approvalOver",
  approval_expired: "approvalOver",
  approval_not_found: "approvalOver",
  turn_not_waiting: "approvalOver",
  store_unavailable: "store",
  store_full: "store",
  store_read_only: "store",
  store_refused: "store",
  store_locked: "store",
};

/** Returns the sentence for an error code. */
export function toErrorWords(code: string, { chat }: Strings): string {
  const problem = Object.hasOwn(problems, code) ? problems[code] : undefined;
  return problem === undefined ? chat.errors.other(code) : chat.errors[problem];
}
