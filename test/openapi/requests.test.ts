/** The request schemas of the document and the parsers accept the same bodies, except for listed rules. */
import assert from "node:assert/strict";
import { chooseFrom } from "../support/model/named-models.ts";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AppError } from "../../src/base/errors.ts";
import { ApprovalsBody, toAnswers } from "../../src/wires/foreword/approvals-request.ts";
import { ChatBody, toChatTurn } from "../../src/wires/foreword/chat-request.ts";
import { CompletionBody, toRequestedCompletion } from "../../src/wires/openai-chat/request.ts";
import { ConversationPatch, NewConversation } from "../../src/history/request.ts";
import { RunBody, toRequestedRun } from "../../src/wires/ag-ui/request/request.ts";
import { toUiChatTurn, UiChatBody } from "../../src/wires/ui-message/request.ts";
import { parse } from "../../src/base/parse.ts";
import { makeDocument, ResponseCheck } from "../support/apps/response-check.ts";

const check = new ResponseCheck(await makeDocument("none", "demo"));
const anybody = { type: "anybody", accessToken: undefined } as const;
const image = { mimeType: "image/png", data: "iVBORw0KGgo=" };
const inlineImage = { type: "data", value: image.data, mimeType: image.mimeType };
const imageUrl = "data:image/png;base64,iVBORw0KGgo=";

/** A body that both check, and the rules that a JSON schema cannot express. */
interface Judged {
  readonly name: string;
  readonly parse: (body: unknown) => unknown;
  /** Valid bodies. Most of their mutations are not. */
  readonly good: readonly object[];
  /** Errors of the parser for bodies that the schema accepts. */
  readonly exceptions: RegExp;
}

const judged: readonly Judged[] = [
  {
    name: "ChatRequest",
    parse: (body) => toChatTurn(ChatBody.parse(body), {}, anybody),
    good: [
      { messages: [{ sender: "user", text: "Hi" }] },
      {
        messages: [
          { role: "assistant", content: "Hello" },
          { sender: "user", value: "Hi", images: [{ inlineData: image }] },
        ],
        conversationId: randomUUID(),
        parentId: "leaf",
        userId: randomUUID(),
        use_web_search: true,
        knowledge_base: "docs",
      },
      { messages: [{ sender: null, role: "user", text: null, content: "Hi" }], userId: "", parentId: null },
      {
        messages: [
          { sender: "user", text: "Hi" },
          {
            sender: "assistant",
            text: "Let me look.",
            tools: [
              {
                callId: "c1",
                name: "weather",
                input: '{"city":"Oslo"}',
                step: 0,
                at: 12,
                output: { degrees: 3 },
              },
              {
                callId: "c2",
                name: "files__read",
                input: {},
                runsOn: "server",
                status: "complete",
                output: null,
              },
              { callId: "c3", name: "weather", error: "Unknown city", status: null },
            ],
          },
        ],
        tools: [
          { name: "weather", description: "The weather", parameters: { type: "object" }, strict: true },
          { type: "function", function: { name: "time" } },
        ],
        toolChoice: { name: "weather" },
        parallelToolCalls: false,
      },
      {
        parentId: randomUUID(),
        toolResults: [
          { callId: "c1", output: 3 },
          { callId: "c2", error: "Unknown city" },
        ],
        toolChoice: "none",
      },
    ],
    // Rules between fields.
    exceptions:
      /^tools\[\d+\]\.name: must be different|^toolChoice: (?:must name one|required needs)|only an assistant's message|is required: the reply goes on|^messages: must be empty beside|^parentId: must name the reply|must have an id|must have a name|must be nested|^messages: Last message must be from the user$|^messages: Last message must have a text or an image$|^parentId: leaf requires conversationId|must be base64|of another type, or damaged$|inlineData: is required, or url$/,
  },
  {
    name: "ApprovalsRequest",
    parse: (body) => toAnswers(ApprovalsBody.parse(body)),
    good: [
      {
        approvals: [
          { approvalId: "a", approved: true },
          { approvalId: "b", approved: false, reason: "No" },
        ],
      },
      { approvals: [{ approvalId: "a", approved: true, reason: null }] },
    ],
    exceptions: /must be different from the others/,
  },
  {
    name: "UiChatRequest",
    parse: (body) => toUiChatTurn(UiChatBody.parse(body), {}, {}, anybody),
    good: [
      { id: "chat", messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }] },
      {
        id: randomUUID(),
        messages: [
          {
            role: "assistant",
            parts: [
              { type: "data-plan", data: { text: "- p" } },
              { type: "text", text: "A" },
              { type: "tool-find", toolCallId: "c", state: "output-available", input: {}, output: [1] },
              { type: "dynamic-tool", toolName: "find", toolCallId: "d", state: "output-denied" },
            ],
          },
          {
            role: "user",
            parts: [{ type: "file", mediaType: "image/png", url: imageUrl }, { type: "step-start" }],
          },
        ],
        use_web_search: null,
        userId: "",
      },
      { id: "chat", message: { role: "user", parts: [{ type: "text", text: "Hi" }] }, parentId: "leaf" },
      { id: "chat", trigger: "regenerate-message", messageId: randomUUID() },
    ],
    // A file of an older message may be anything; one of the newest must be an image. Without messages there
    // is one message, or a reply to generate again. A call needs a name and an id of its own.
    exceptions:
      /^tools\[\d+\]\.function\.name: must be different|^messages: Last message must be from the user$|^messages: Last message must have a text or an image$|^This file|^The file|^messages: must be a list|must have (?:an id|a name) of |: The tool call ".*" has no result yet$/,
  },
  {
    name: "CompletionRequest",
    parse: (body) => toRequestedCompletion(CompletionBody.parse(body), {}, anybody, chooseFrom("demo")),
    good: [
      { model: "demo", messages: [{ role: "user", content: "Hi" }] },
      {
        model: "demo+plan",
        messages: [
          { role: "developer", content: [{ type: "text", text: "Be brief" }] },
          { role: "assistant", content: [{ type: "refusal", refusal: "No" }] },
          {
            role: "assistant",
            content: null,
            refusal: "No",
            tool_calls: [],
            function_call: null,
            audio: null,
          },
          { role: "user", content: [{ type: "image_url", image_url: { url: imageUrl, detail: "low" } }] },
        ],
        stream: true,
        stream_options: { include_usage: true, include_obfuscation: null },
        temperature: 0.5,
        top_p: 1,
        max_tokens: 10,
        stop: ["a", "b"],
        seed: -1,
        logit_bias: { 50256: -100 },
        response_format: { type: "json_object" },
        n: 1,
        logprobs: false,
        top_logprobs: 0,
        modalities: ["text"],
        tools: [],
        functions: [],
        tool_choice: "none",
        function_call: "auto",
        user: "x",
        metadata: { a: 1 },
        store: true,
        unknown: null,
      },
    ],
    exceptions:
      /^model: "[^]*" does not exist|^tools\[\d+\]\.function\.name: must be different|^messages: Last message must |^messages\[\d+\]\.content: only user messages may contain images$|must be nested at most|must be a base64 data URL|of another type, or damaged$/,
  },
  {
    name: "RunAgentInput",
    parse: (body) => toRequestedRun({ body: RunBody.parse(body), query: {}, headers: {}, identity: anybody }),
    good: [
      { threadId: "t", runId: "r", messages: [{ id: "m", role: "user", content: "Hi" }] },
      {
        threadId: randomUUID(),
        runId: randomUUID(),
        protocolVersion: "1.0",
        state: { count: 1 },
        messages: [
          { id: "s", role: "developer", content: "Be brief" },
          { id: "u", role: "user", content: [{ type: "text", text: "Hi" }, { type: "audio" }] },
          { id: "p", role: "reasoning", content: "- Look" },
          {
            id: "a",
            role: "assistant",
            toolCalls: [{ id: "c", type: "function", function: { name: "find", arguments: "{}" } }],
          },
          { id: "r", role: "tool", toolCallId: "c", content: "42", error: null },
          { id: "b", role: "assistant", content: "Found." },
          { id: "x", role: "activity", activityType: "PLAN", content: { steps: [] } },
          { id: "v", role: "user", content: [{ type: "image", source: inlineImage }] },
        ],
        tools: [{ name: "find", description: "Finds", parameters: { type: "object" } }],
        context: [{ description: "Page", value: "Home" }],
        forwardedProps: { ifRunning: "branch", reasoning_effort: "low", use_web_search: true },
        resume: [],
      },
      { threadId: "t", runId: "r", messages: [], resume: [{ interruptId: "i", status: "cancelled" }] },
    ],
    // A part of an older message may be anything. A call needs a name and an id of its own.
    exceptions:
      /^runId: is required$|^tools\[\d+\]\.name: must be different|^messages: Last message must |^messages\[\d+\](?:\.content\[\d+\]|: a file|\.toolCalls|\.toolCallId)|^resume\[\d+\]\.(?:payload|interruptId)|^resume: must not be sent/,
  },
  {
    name: "NewConversation",
    parse: (body) => parse(NewConversation, body, "invalid_request"),
    good: [{}, { id: randomUUID(), title: " A  plan ", metadata: { a: [1, { b: null }] } }],
    exceptions:
      /^title: must be at most 500 characters$|^metadata: must be at most 16384 characters of JSON$/,
  },
  {
    name: "ConversationPatch",
    parse: (body) => parse(ConversationPatch, body, "invalid_request"),
    good: [{ title: "B" }, { archived: false, leaf: randomUUID(), metadata: {} }],
    exceptions:
      /^title: must be at most 500 characters$|^metadata: must be at most 16384 characters of JSON$/,
  },
];

/** Returns the parser's error for a body; `undefined` if it accepts the body. */
function findRefusal(parser: Judged["parse"], body: unknown): string | undefined {
  try {
    parser(body);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    return error.detail;
  }
}

/** Fails if parser and schema disagree on a body, except for the listed rules. */
function assertAgreed({ name, parse: parser, exceptions }: Judged, body: unknown): void {
  const refusal = findRefusal(parser, body);
  const errors = check.findErrors(["components", "schemas", name], body);
  const text = `${name} ${JSON.stringify(body)}`;
  if (refusal === undefined)
    assert.equal(errors, undefined, `${text}: the parser accepts it, the schema does not`);
  else if (errors === undefined)
    assert.match(refusal, exceptions, `${text}: the schema accepts it, the parser does not`);
}

const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    1,
    -1,
    1.5,
    3,
    1e300,
    "",
    " ",
    "x",
    "user",
    "leaf",
    "text",
    "none",
  ),
  fc.constantFrom<unknown>(
    "file",
    "data-plan",
    "image_url",
    "assistant",
    "demo",
    imageUrl,
    "AAAA",
    "AAA",
    [],
    {},
  ),
  fc.uuid().map((id) => id.toUpperCase()),
  fc.string({ unit: "binary", maxLength: 5 }),
  fc.constant("x".repeat(600)),
);
const { value: anything } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("type", "text", "url", "role", "data", "extra"), tie("value"), {
      maxKeys: 3,
    }),
  ),
}));

/** Returns the paths of all values inside `value`, the root's first. */
function listPlaces(value: unknown, place: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [place];
  return [place, ...Object.entries(value).flatMap(([key, inner]) => listPlaces(inner, [...place, key]))];
}

/** Returns `value` with the value at `place` replaced, or left out if there is no replacement. */
function replaceAt(
  value: unknown,
  [key, ...rest]: readonly string[],
  by: { readonly value?: unknown },
): unknown {
  if (key === undefined) return by.value;
  if (Array.isArray(value))
    return value.flatMap((item: unknown, index) => {
      if (String(index) !== key) return [item];
      return rest.length === 0 && !("value" in by) ? [] : [replaceAt(item, rest, by)];
    });
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries({ ...value, ...(rest.length === 0 && "value" in by && { [key]: by.value }) }).flatMap(
      ([name, inner]): [string, unknown][] => {
        if (name !== key) return [[name, inner]];
        return rest.length === 0 && !("value" in by) ? [] : [[name, replaceAt(inner, rest, by)]];
      },
    ),
  );
}

/** Mutations of bodies: one to three values replaced or left out, or a field added. */
function mutationsOf(bodies: readonly object[]): fc.Arbitrary<unknown> {
  const change = fc.record({
    at: fc.nat(),
    by: fc.option(
      anything.map((value) => ({ value })),
      { nil: {} },
    ),
    extra: fc.option(fc.constantFrom("extra", "text", "role", "title", "null"), { freq: 5, nil: undefined }),
  });
  return fc
    .tuple(fc.constantFrom(...bodies), fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([body, changes]) =>
      changes.reduce<unknown>((value, { at, by, extra }) => {
        const places = listPlaces(value);
        const place = places[at % places.length] ?? [];
        return replaceAt(value, extra === undefined ? place : [...place, extra], by);
      }, body),
    )
    .map((value): unknown => JSON.parse(JSON.stringify(value ?? null)));
}

describe("the document and the parsers agree", { timeout: 120_000 }, () => {
  for (const one of judged) {
    test(`on valid ${one.name}s`, () => {
      for (const body of one.good) {
        assert.equal(findRefusal(one.parse, body), undefined);
        assertAgreed(one, body);
      }
    });

    test(`on nearly valid ${one.name}s: each value replaced by each other, and left out`, () => {
      let refused = 0;
      for (const body of one.good)
        for (const place of listPlaces(body))
          for (const by of [{}, ...fc.sample(leaf, { numRuns: 60, seed: 1 }).map((value) => ({ value }))]) {
            const changed: unknown = JSON.parse(JSON.stringify(replaceAt(body, place, by) ?? null));
            if (findRefusal(one.parse, changed) !== undefined) refused += 1;
            assertAgreed(one, changed);
          }
      assert.ok(refused > 20, `${refused} were refused`);
    });

    test(`on randomly mutated ${one.name}s, and on anything`, () => {
      const bodies = fc.oneof(
        { weight: 5, arbitrary: mutationsOf(one.good) },
        anything.filter((value) => value !== null),
      );
      fc.assert(
        fc.property(bodies, (body) => assertAgreed(one, body)),
        { numRuns: 1_500 },
      );
    });
  }

  test("on every request of the contract", () => {
    const url = new URL("../contract/cases.json", import.meta.url);
    const cases: readonly { readonly request: unknown }[] = JSON.parse(readFileSync(url, "utf8"));
    const bodies = cases.map(({ request }) => request).filter((request) => typeof request === "object");
    assert.ok(bodies.length > 30, `${bodies.length} cases`);
    const [chat] = judged;
    assert.ok(chat?.name === "ChatRequest");
    for (const body of bodies) assertAgreed(chat, body);
  });
});
