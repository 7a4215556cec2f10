/** The check of responses that all tests run: it accepts documented responses, and refuses all others. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { makeDocument, ResponseCheck } from "../support/apps/response-check.ts";
import type { AppResponse } from "../support/apps/start-app.ts";

const document = await makeDocument("none", "scripted");
const unknownId = randomUUID();

describe("the check of responses", () => {
  const check = new ResponseCheck(document);
  const good: AppResponse = {
    status: 200,
    headers: { "content-type": "application/json; charset=utf-8", "x-request-id": unknownId },
    body: '{"status":"ok"}',
    isComplete: true,
  };
  const wrong: readonly [string, Partial<AppResponse>][] = [
    ["a status", { status: 418 }],
    ["a media type", { headers: { "content-type": "text/plain" } }],
    ["a header", { headers: { ...good.headers, "x-new": "1" } }],
    ["a field", { body: '{"status":"ok","more":1}' }],
    ["a value", { body: '{"status":"fine"}' }],
  ];
  test("accepts a documented response", () => {
    check.check("GET", "/healthz?a=b", good);
  });
  for (const [label, difference] of wrong)
    test(`refuses ${label} that is not documented`, () => {
      assert.throws(() => check.check("GET", "/healthz", { ...good, ...difference }), assert.AssertionError);
    });
  test("refuses a response without a documented header, and a code of another status", () => {
    const headers = { "content-type": "application/json", "x-request-id": unknownId };
    const error = { error: { message: "m", type: "server_error", param: null, code: "internal_error" } };
    const answer = { ...good, status: 404, headers: { ...headers, "x-should-retry": "false" } };
    const body = (code: string): string => JSON.stringify({ error: { ...error.error, code } });
    check.check("GET", "/v1/models/x", { ...answer, body: body("model_not_found") });
    assert.throws(() => check.check("GET", "/v1/models/x", { ...answer, body: body("internal_error") }));
    assert.throws(() =>
      check.check("GET", "/v1/models/x", { ...answer, headers, body: body("model_not_found") }),
    );
  });
  test("reads the events of a stream", () => {
    const headers = {
      "content-type": "text/event-stream",
      "x-turn-id": unknownId,
      "x-request-id": unknownId,
      "x-accel-buffering": "no",
    };
    const frame = (type: string, more: object): string =>
      `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
    const path = `/turns/${unknownId}/stream`;
    const stream = (body: string): AppResponse => ({ ...good, headers, body });
    check.check("GET", path, stream(frame("plan-end", { position: 17 })));
    assert.throws(() => check.check("GET", path, stream(frame("plan-end", { position: -1 }))));
    assert.throws(() => check.check("GET", path, stream(frame("plan-stop", { position: 17 }))));
  });
});
