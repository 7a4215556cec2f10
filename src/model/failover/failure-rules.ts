/** Which failures of a model another model may make good, and which of them say something about the model. */
import type { ErrorCode } from "../../base/errors.ts";

/** Who is asked after a failure: any model of the list, only one with a larger window, or none. */
export type NextModels = "any" | "larger" | "none";

interface FailureRule {
  readonly next: NextModels;
  /** Whether the model is left alone for a while: the next request would most likely fail as well. */
  readonly isModels: boolean;
}

/** The model itself is the trouble. */
const models: FailureRule = { next: "any", isModels: true };
/** Another model may do better with this request, and this model with another. */
const pairs: FailureRule = { next: "any", isModels: false };
/** No model would do better, or none should. */
const requests: FailureRule = { next: "none", isModels: false };

/** The rules for the failures that a model's call can have; docs/models.md has them as a table. */
const rules: Partial<Record<ErrorCode, FailureRule>> = {
  model_unavailable: models,
  model_silent: models,
  model_stalled: models,
  model_truncated: models,
  model_failed: models,
  model_invalid_stream: models,
  model_rate_limited: models,
  model_no_credit: models,
  model_unauthorized: models,
  model_not_found: models,
  model_refused: pairs,
  empty_reply: pairs,
  empty_answer: pairs,
  internal_error: pairs,
  context_too_long: { next: "larger", isModels: false },
  // The request would be refused elsewhere as well, and a filter is not to be passed by.
  request_refused: requests,
  file_refused: requests,
  model_filtered: requests,
  reply_too_large: requests,
};

/** Returns the models that may be asked after a failure with `code`. */
export function findNextModels(code: ErrorCode): NextModels {
  return (rules[code] ?? requests).next;
}

/** Whether a failure with `code` makes the next request to the same model fail, too. */
export function isModelsFault(code: ErrorCode): boolean {
  return (rules[code] ?? requests).isModels;
}
