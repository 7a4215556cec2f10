/** Requests for completions as the wire reads them, without a server. */
import assert from "node:assert/strict";
import { AppError } from "../../../src/base/errors.ts";
import { parse } from "../../../src/base/parse.ts";
import { TurnHeaders } from "../../../src/http/request-fields.ts";
import { chooseFrom } from "../model/named-models.ts";
import {
  CompletionBody,
  toRequestedCompletion,
  type RequestedCompletion,
} from "../../../src/wires/openai-chat/request.ts";

const anybody = { type: "anybody", accessToken: undefined } as const;

/** Returns what a body asks for that says "Hi" to the model `scripted`, with `more` on top. */
export function parseCompletion(more: object, headers: Record<string, string> = {}): RequestedCompletion {
  return toRequestedCompletion(
    CompletionBody.parse({ model: "scripted", messages: [{ role: "user", content: "Hi" }], ...more }),
    parse(TurnHeaders, headers, "invalid_request"),
    anybody,
    chooseFrom("scripted"),
  );
}

/** Checks that such a body is invalid, and that the error names `field`. */
export function assertInvalid(more: object, field: string, detail = /./): void {
  assert.throws(
    () => parseCompletion(more),
    (error) => {
      assert.ok(error instanceof AppError, String(error));
      assert.deepEqual([error.code, error.field], ["invalid_request", field]);
      assert.match(error.detail, detail);
      return true;
    },
  );
}
