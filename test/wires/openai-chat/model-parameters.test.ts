/** The parameters of a completion: which are passed on, ignored or refused. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  CompletionBody,
  toRequestedCompletion,
  type RequestedCompletion,
} from "../../../src/wires/openai-chat/request.ts";

import { chooseFrom } from "../../support/model/named-models.ts";

const anybody = { type: "anybody", accessToken: undefined } as const;

function parseBody(more: object): RequestedCompletion {
  const body = { model: "scripted", messages: [{ role: "user", content: "Hi" }], ...more };
  return toRequestedCompletion(CompletionBody.parse(body), {}, anybody, chooseFrom("scripted"));
}

/** The parameters that the model gets for `body`. */
function toNamed(body: object): object {
  return parseBody(body).turn.parameters;
}

describe("the parameters of a completion", () => {
  test("refuses more than 64 unlisted fields, and names one, however many there are", () => {
    const toFields = (length: number): object =>
      Object.fromEntries(Array.from({ length }, (_, index) => [`k${index}`, index]));
    assert.deepEqual(toNamed(toFields(64)), { extra: toFields(64) });
    assert.throws(() => parseBody({ n: 2, ...toFields(10_000) }), {
      field: "k64",
      detail: "k64: there are more than 64 unlisted parameters",
    });
    const name = "k".repeat(1_000_000);
    assert.throws(() => parseBody({ [name]: 1 }), { detail: `${"k".repeat(64)}: is not supported` });
  });

  test("passes on unlisted fields unchanged", () => {
    const extra = {
      top_k: 40,
      min_p: 0,
      repetition_penalty: 1.1,
      chat_template_kwargs: { enable_thinking: false },
      reasoning: { effort: "low" },
      web_search_options: {},
      prediction: { type: "content", content: "x" },
      extra_body: { google: { thinking_config: {} } },
      cache: false,
    };
    assert.deepEqual(toNamed({ ...extra, seed: 7, gone: null, nothing: "", none: [] }), { seed: 7, extra });
    assert.deepEqual(parseBody({ ...extra, model: "scripted+plan" }).turn.parameters, { extra });
  });

  test("treats empty values, and negative numbers of tokens, as absent", () => {
    for (const more of [
      { stop: [], tools: [], functions: [], modalities: [], logit_bias: {}, response_format: {}, audio: {} },
      { stop: "", tool_choice: "", reasoning_effort: "", verbosity: "", user: "", temperature: "" },
      { stop: ["", ""], max_tokens: -1, max_completion_tokens: -2, stream_options: {}, models: [], n: "" },
    ])
      assert.deepEqual(parseBody(more), parseBody({}), JSON.stringify(more));
    assert.deepEqual(toNamed({ stop: ["", "END"] }), { stop: ["END"] });
  });

  test("accepts an image as a string, and under other names of its type", () => {
    const sent = { type: "image_url", image_url: { url: "data:image/jpeg;base64,/9j/" } };
    for (const image of ["data:image/jpg;base64,/9j/", { url: "data:IMAGE/JPG;base64,/9j/" }]) {
      const { turn } = parseBody({
        messages: [{ role: "user", content: [{ type: "image_url", image_url: image }] }],
      });
      assert.deepEqual(turn.messages[0]?.images, [{ mimeType: "image/jpeg", data: "/9j/" }]);
      assert.deepEqual(turn.verbatim, [{ role: "user", content: [sent] }]);
    }
  });

  test("stores a turn unless store is false", () => {
    assert.deepEqual(
      [undefined, null, true, false].map((store) => parseBody({ store }).turn.isKept),
      [true, true, true, false],
    );
  });

  test("accepts up to 1,024 biases, and reports too many or invalid ones once", () => {
    const toBiases = (count: number, bias: unknown): object => ({
      logit_bias: Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}`, bias])),
    });
    assert.deepEqual(toNamed(toBiases(1_024, -1)), toBiases(1_024, -1));
    for (const biases of [
      toBiases(1_025, -1),
      toBiases(10_000, "none"),
      { logit_bias: [1] },
      { logit_bias: 1 },
    ]) {
      assert.throws(() => parseBody(biases), {
        code: "invalid_request",
        field: "logit_bias",
        detail: "logit_bias: must be an object of at most 1024 numbers",
      });
    }
  });
});
