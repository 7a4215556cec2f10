/** Which failures another model may make up for, and which of them are the fault of the model that failed. */
import type { ErrorCode } from "../../base/errors.ts";

/**
 * The models that may be asked after a failure: any of the list, only those with a larger window, or none.
 */
export type NextModels = "any" | "larger" | "none";

interface FailureRule {
  readonly next: NextModels;
  /** Whether the model is left alone for a while: the next request would most likely fail as well. */
  readonly isModelsFault: boolean;
}

/** The model is at fault. */
const modelAtFault: FailureRule = { next: "any", isModelsFault: true };
/** Another model may do better with this request, and this model with another request. */
const unclear: FailureRule = { next: "any", isModelsFault: false };
/** The request is at fault: no model would do better, or none should. */
const requestAtFault: FailureRule = { next: "none", isModelsFault: false };

/** The rules for the failures that a model's call can have; docs/models.md has them as a table. */
const rules: Partial<Record<ErrorCode, FailureRule>> = {
  model_unavailable: modelAtFault,
  model_silent: modelAtFault,
  model_stalled: modelAtFault,
  model_truncated: modelAtFault,
  model_failed: modelAtFault,
  model_invalid_stream: modelAtFault,
  model_rate_limited: modelAtFault,
  model_no_credit: modelAtFault,
  model_unauthorized: modelAtFault,
  model_not_found: modelAtFault,
  model_refused: unclear,
  empty_reply: unclear,
  empty_answer: unclear,
  internal_error: unclear,
  context_too_long: { next: "larger", isModelsFault: false },
  // Other models would refuse the request, too, and must not be used to bypass a filter.
  request_refused: requestAtFault,
  file_refused: requestAtFault,
  model_filtered: requestAtFault,
  reply_too_large: requestAtFault,
};

/** Returns the models that may be asked after a failure with `code`. */
export function findNextModels(code: ErrorCode): NextModels {
  return (rules[code] ?? requestAtFault).next;
}

/** Whether a failure with `code` makes the next request to the same model fail, too. */
export function isModelsFault(code: ErrorCode): boolean {
  return (rules[code] ?? requestAtFault).isModelsFault;
}
