/** Requests on AG-UI's wire: the turns that they ask for, and the field that each bad one is refused for. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AppError } from "../../../src/base/errors.ts";
import { RunBody, RunHeaders, toRequestedRun } from "../../../src/wires/ag-ui/request/request.ts";
import { parse } from "../../../src/base/parse.ts";

const identity = { type: "anybody", accessToken: undefined } as const;
const user = { id: "u", role: "user", content: "Hi" };
const base = { threadId: "t", runId: "r", messages: [user] };
const turnId = "01a22379-68d7-7427-9df8-afdf49240900";
const png = "iVBORw0KGgo=";

function read(body: unknown, headers: object = {}) {
  return toRequestedRun({
    body: RunBody.parse(body),
    query: {},
    headers: parse(RunHeaders, headers, "invalid_request"),
    identity,
  });
}

/** Returns the error of a request. */
function refusal(body: unknown, headers: object = {}): string {
  try {
    read(body, headers);
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    return error.detail;
  }
  throw new assert.AssertionError({ message: "it was accepted" });
}

/** Returns a reply that calls a tool, and a result. */
function replyWith(callId: string, result: object): readonly object[] {
  const call = { id: callId, type: "function", function: { name: "find", arguments: '{"a":1}' } };
  return [
    user,
    { id: `${turnId}-plan`, role: "reasoning", content: "- Look" },
    { id: turnId, role: "assistant", content: "Let me look.", toolCalls: [call] },
    { id: "x", role: "tool", toolCallId: callId, ...result },
  ];
}

describe("a request of AG-UI's clients", () => {
  test("names its turn by its run: the same for the same user, a UUID itself", () => {
    const turn = (runId: string) => read({ ...base, runId }).turn;
    assert.equal(turn(turnId).turnId, turnId);
    assert.equal(turn("run-1").turnId, turn("run-1").turnId);
    assert.notEqual(turn("run-1").turnId, turn("run-2").turnId);
    assert.equal(turn("run-1").idempotencyKey, "run-1");
    const { threadId, messages } = base;
    assert.deepEqual(read({ threadId, messages }, { "x-run-id": "run-1" }).turn, turn("run-1"));
  });

  test("joins the messages of a reply and its tools", () => {
    const { turn } = read({
      ...base,
      messages: [
        ...replyWith("server:c1", { content: '{"n":42}' }),
        { id: `${turnId}-2`, role: "assistant", content: "Found." },
        { id: "u2", role: "user", content: "Sure?" },
      ],
    });
    const [, reply] = turn.messages;
    assert.deepEqual([reply?.text, reply?.id], ["Let me look.\n\nFound.", turnId]);
    assert.deepEqual(reply?.tools, [
      {
        callId: "c1",
        name: "find",
        runsOn: "server",
        step: 0,
        at: 12,
        input: '{"a":1}',
        outcome: { status: "complete", output: { n: 42 } },
      },
    ]);
    assert.equal(turn.extendsReply, undefined);
    assert.equal(turn.wantsPlan, true);
  });

  test("goes on with a reply whose own tools have results, or failed", () => {
    for (const [result, status] of [
      [{ content: "Oslo" }, "complete"],
      [{ content: "No.", error: "No." }, "failed"],
      [{ content: "No.", metadata: { tanstack: { state: "output-error" } } }, "failed"],
    ] as const) {
      const { turn } = read({ ...base, messages: replyWith("c1", result) });
      assert.deepEqual([turn.messages.length, turn.wantsPlan], [1, false]);
      assert.deepEqual(
        turn.extendsReply?.tools?.map(({ runsOn, outcome }) => [runsOn, outcome?.status, outcome?.output]),
        [["client", status, result.content]],
      );
    }
  });

  test("passes context and state on as instructions, tools as functions, and options as other wires do", () => {
    const { turn } = read({
      ...base,
      context: [{ description: "The page", value: "Home" }],
      state: { count: 1 },
      tools: [{ name: "find", description: "Finds", parameters: { type: "object" } }],
      forwardedProps: { ifRunning: "reject", use_web_search: true, reasoning_effort: "low", other: 1 },
    });
    assert.equal(
      turn.instructions,
      'The application of the user says this about itself.\n\nThe page:\nHome\n\nThe state of the application:\n{"count":1}',
    );
    assert.deepEqual(turn.parameters, {
      reasoning_effort: "low",
      tools: [
        {
          type: "function",
          function: { name: "find", description: "Finds", parameters: { type: "object" } },
        },
      ],
    });
    assert.deepEqual([turn.ifRunning, turn.useWebSearch], ["reject", true]);
    assert.equal(read({ ...base, state: {}, context: [] }).turn.instructions, undefined);
  });

  test("may hold images in every form of its clients; unusable parts of older messages are ignored", () => {
    const part = { type: "image", source: { type: "data", value: png, mimeType: "image/png" } };
    const parts = [
      part,
      { type: "image", source: { type: "url", value: `data:image/png;base64,${png}` } },
      { type: "binary", mimeType: "image/png", data: png },
    ];
    for (const each of parts) {
      const { turn } = read({
        ...base,
        messages: [{ ...user, content: [each, { type: "text", text: "?" }] }],
      });
      assert.deepEqual(turn.messages[0]?.images, [{ mimeType: "image/png", data: png }]);
    }
    const old = {
      ...user,
      content: [{ type: "video", source: 1 }, { type: "text" }, { type: "text", text: "a" }],
    };
    assert.equal(read({ ...base, messages: [old, user] }).turn.messages[0]?.text, "a");
  });

  test("that answers requests for approval is no new turn, unless the user has gone on", () => {
    const resume = [{ interruptId: "i", status: "resolved", payload: { approved: true, reason: " ok " } }];
    assert.deepEqual(read({ ...base, messages: [], resume }).answers, [
      { approvalId: "i", isApproved: true, reason: "ok", isCancelled: false },
    ]);
    const cancelled = [{ interruptId: "i", status: "cancelled" }];
    assert.equal(read({ ...base, resume: cancelled }).answers?.length, 1);
    const pending = replyWith("server:c1", {}).slice(0, -1);
    const goneOn = [...pending, { id: "u2", role: "user", content: "Never mind" }];
    const { answers, leavesPending } = read({ ...base, messages: goneOn, resume: cancelled });
    assert.deepEqual([answers, leavesPending], [undefined, true]);
    assert.match(refusal({ ...base, messages: goneOn, resume }), /^resume: must not be sent together/);
  });

  const long = "x".repeat(300);
  const deep: unknown = JSON.parse(`${'{"a":'.repeat(200)}1${"}".repeat(200)}`);
  const refused: readonly (readonly [RegExp, object, object?])[] = [
    [/^threadId: /, { ...base, threadId: undefined }],
    [/^threadId: must not be empty/, { ...base, threadId: "" }],
    [/^threadId: must be at most 255/, { ...base, threadId: long }],
    [/^runId: is required/, { ...base, runId: undefined }],
    [/^runId: must be at most 255/, { ...base, runId: long }],
    [/^runId: /, { ...base, runId: 5 }],
    [/^x-run-id: must be the same as runId/, base, { "x-run-id": "other" }],
    [/^last-event-id: must be the id of an event$/, base, { "last-event-id": "x" }],
    [/^last-event-id: must be the id of an event$/, base, { "last-event-id": "1.2.3" }],
    [/^messages: must be a list$/, { ...base, messages: undefined }],
    [/^messages: Last message must be from the user/, { ...base, messages: [] }],
    [
      /^messages: Last message must be from the user/,
      { ...base, messages: [{ role: "assistant", content: "a" }] },
    ],
    [/^messages: Last message must have a text/, { ...base, messages: [{ ...user, content: " " }] }],
    [/^messages\[0\]\.role: must be one of/, { ...base, messages: [{ role: "robot" }] }],
    [/^messages\[0\]\.content\[0\]\.type: /, { ...base, messages: [{ ...user, content: [{ text: "a" }] }] }],
    [
      /^messages\[0\]\.content\[0\]\.type: is not supported/,
      { ...base, messages: [{ ...user, content: [{ type: "video" }] }] },
    ],
    [
      /^messages\[0\]\.content\[0\]\.source/,
      {
        ...base,
        messages: [{ ...user, content: [{ type: "image", source: { type: "file", value: "f" } }] }],
      },
    ],
    [
      /^messages\[0\]\.content\[0\]\.source\.value: must be a base64 data URL/,
      {
        ...base,
        messages: [
          {
            ...user,
            content: [{ type: "image", source: { type: "url", value: "https://example.com/a.png" } }],
          },
        ],
      },
    ],
    [/^messages\[3\]\.toolCallId: is required/, { ...base, messages: replyWith("c", { toolCallId: null }) }],
    [/^messages\[3\]\.toolCallId: "d" is not/, { ...base, messages: replyWith("c", { toolCallId: "d" }) }],
    [/^messages: Last message must be from the user/, { ...base, messages: replyWith("server:c", {}) }],
    [/^tools\[1\]\.name: must be different/, { ...base, tools: [{ name: "a" }, { name: "a" }] }],
    [/^tools\[0\]\.name: /, { ...base, tools: [{ name: "a b" }] }],
    [/^tools\[0\]\.parameters: /, { ...base, tools: [{ name: "a", parameters: [] }] }],
    [/^tools\[0\]\.parameters: must be nested/, { ...base, tools: [{ name: "a", parameters: deep }] }],
    [/^context\[0\]\.value: /, { ...base, context: [{ description: "a" }] }],
    [/^context: must be at most/, { ...base, context: [{ description: "a", value: "x".repeat(300_000) }] }],
    [/^state: must be nested/, { ...base, state: deep }],
    [/^state: must be at most/, { ...base, state: "x".repeat(300_000) }],
    [/^forwardedProps: must be an object/, { ...base, forwardedProps: "x" }],
    [/^forwardedProps\.ifRunning: must be/, { ...base, forwardedProps: { ifRunning: "later" } }],
    [/^resume\[0\]\.interruptId: is required/, { ...base, resume: [{ status: "resolved" }] }],
    [/^resume\[0\]\.status: /, { ...base, resume: [{ interruptId: "i", status: "done" }] }],
    [/^resume\[0\]\.payload\.approved: /, { ...base, resume: [{ interruptId: "i", status: "resolved" }] }],
    [
      /^resume\[1\]\.interruptId: must be different/,
      { ...base, resume: Array.from({ length: 2 }, () => ({ interruptId: "i", status: "cancelled" })) },
    ],
  ];
  for (const [rule, body, headers] of refused)
    test(`is refused with ${rule.source}, by name: ${JSON.stringify(body).slice(0, 60)}`, () => {
      assert.match(refusal(body, headers), rule);
    });
});
