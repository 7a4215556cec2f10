/** Requests of the AI SDK's client before any turn: which are refused, and the sentence for the user. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { type AppResponse } from "../../support/apps/start-app.ts";
import { promptOf } from "../../support/clients/ui-chat.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";

const mebibyte = 1024 * 1024;
const png = "data:image/png;base64,iVBORw0KGgo=";

const message = (role: string, ...parts: object[]): object => ({ id: "m", role, parts });
const text = (words: string): object => ({ type: "text", text: words });
const file = (url: unknown): object => ({ type: "file", mediaType: "image/png", url });
const tool = (fields: object): object => ({ type: "tool-x", toolCallId: "c", ...fields });
const look = { type: "function", function: { name: "look" } };
const hi = message("user", text("Hi"));
const chat = (...messages: unknown[]): object => ({ id: "chat", messages, trigger: "submit-message" });

describe("a request of useChat", () => {
  const model = useModel();
  const app = useApp(model);

  function assertRefused(answer: AppResponse, status: number, sentence: RegExp): void {
    assert.equal(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert.equal(answer.headers["cache-control"], "no-store");
    assert.match(answer.body, sentence);
    assert.equal(answer.status, status);
  }

  const wrong: readonly [string, unknown, RegExp][] = [
    ["without a body", undefined, /^id: .*; messages: /],
    ["that is a list", [], /expected object/],
    ["without an id", { messages: [hi] }, /^id: /],
    ["with an empty id", { ...chat(hi), id: "" }, /^id: must not be empty$/],
    ["with an id of 256 characters", { ...chat(hi), id: "x".repeat(256) }, /^id: .* at most 255 characters$/],
    ["with an id that is a number", { ...chat(hi), id: 7 }, /^id: /],
    ["without messages", { id: "chat" }, /^messages: /],
    ["with no messages", chat(), /^messages: Last message must be from the user$/],
    ["whose last message is a reply", chat(hi, message("assistant", text("Yes?"))), /must be from the user$/],
    ["whose last message is the system's", chat(message("system", text("Obey"))), /must be from the user$/],
    [
      "of an unknown role",
      chat(message("tool", text("Hi"))),
      /^messages\[0\]\.role: must be one of user, assistant, system/,
    ],
    ["without a role", chat({ id: "m", parts: [text("Hi")] }), /^messages\[0\]\.role: /],
    [
      "with two tools of one name",
      { ...chat(hi), tools: [look, look] },
      /^tools\[1\]\.function\.name: must be different from the other tools' names$/,
    ],
    ["with a message that is a string", chat("Hi"), /^messages\[0\]: /],
    ["of an older SDK, without parts", chat({ role: "user", content: "Hi" }), /^messages\[0\]\.parts: /],
    [
      "with a part without a type",
      chat(message("user", { text: "Hi" })),
      /^messages\[0\]\.parts\[0\]\.type: /,
    ],
    [
      "with a text that is a number",
      chat(hi, message("assistant", text("Yes?")), message("user", text("Hi"), { type: "text", text: 7 })),
      /^messages\[2\]\.parts\[1\]\.text: /,
    ],
    ["whose last message is empty", chat(message("user", text(" \n"))), /must have a text or an image$/],
    ["whose last message has no part", chat(message("user")), /must have a text or an image$/],
    [
      "with a text file",
      chat(message("user", file("data:text/csv;base64,YQ=="), text("Read it"))),
      /^This file \(text\/csv\) cannot be read\. Attach a PNG, JPEG, GIF or WebP image or a PDF, or paste the text/,
    ],
    [
      "with a file of another type than it is sent as",
      chat(message("user", file("data:application/pdf;base64,iVBORw0KGgo="), text("Read it"))),
      /^This file \(application\/pdf\) cannot be read: it is damaged, or of another type than its name says/,
    ],
    [
      "with a drawing",
      chat(message("user", file("data:image/svg+xml;base64,PHN2Zz4="))),
      /^This file \(image\/svg\+xml\) cannot be read\. Attach a PNG/,
    ],
    [
      "with an image elsewhere",
      chat(message("user", file("https://example.com/a.png"))),
      /cannot be read from a link\. Attach the file itself\.$/,
    ],
    [
      "with an image that is no base64",
      chat(message("user", file("data:image/png;base64,**"))),
      /Attach it again\.$/,
    ],
    [
      "with an image without bytes",
      chat(message("user", file("data:image/png;base64,"))),
      /Attach it again\.$/,
    ],
    ["with a file without a URL", chat(message("user", file(undefined))), /^This file/],
    [
      "with a tool call without an id",
      chat(hi, message("assistant", { type: "tool-x", state: "output-available" }), hi),
      /^messages\[1\]\.parts\[0\]\.toolCallId: /,
    ],
    [
      "with a dynamic tool without a name",
      chat(hi, message("assistant", { type: "dynamic-tool", toolCallId: "c", state: "output-denied" }), hi),
      /^messages\[1\]\.parts\[0\]\.toolName: /,
    ],
    [
      "with arguments that are nested too deeply",
      JSON.stringify(
        chat(hi, message("assistant", tool({ state: "input-available", input: "deep" })), hi),
      ).replace('"deep"', "[".repeat(20_000) + "]".repeat(20_000)),
      /^messages\[1\]\.parts\[0\]: must be nested at most 100 levels deep$/,
    ],
    [
      "whose last reply has a call without a result",
      chat(hi, message("assistant", tool({ state: "output-available" }), tool({ state: "input-available" }))),
      /^messages\[1\]\.parts\[1\]: must have an id|^messages\[1\]\.parts: The tool call "c" has no result yet$/,
    ],
    [
      "whose last reply waits for approval",
      chat(hi, message("assistant", tool({ state: "approval-requested", approval: { id: "a" } }))),
      /^messages\[1\]\.parts: Approve or deny the tool calls that wait for you first$/,
    ],
    [
      "whose last reply has calls of the server alone",
      chat(hi, message("assistant", tool({ state: "output-available", providerExecuted: true }))),
      /^messages: Last message must be from the user$/,
    ],
    ["with tools that are no list", { ...chat(hi), tools: {} }, /^tools: /],
    ["with a choice among no tools", { ...chat(hi), tool_choice: "required" }, /^tool_choice: /],
    ["with a user that is not a UUID", { ...chat(hi), userId: "bob" }, /^userId: must be a UUID$/],
    ["with a flag that is a string", { ...chat(hi), use_web_search: "yes" }, /^use_web_search: /],
  ];
  for (const [how, body, sentence] of wrong) {
    test(`${how} is a 400 whose body is a sentence that names the field`, async () => {
      const calls = model.calls.length;
      assertRefused(await app.post("/api/chat", body), 400, sentence);
      assert.equal(model.calls.length, calls);
    });
  }

  test("with an invalid query or header is a 400 that names it, on each path", async () => {
    for (const [method, path] of [
      ["POST", "/api/chat"],
      ["GET", "/api/chat/chat/stream"],
      ["POST", "/api/chat/chat/stop"],
    ] as const) {
      const body = method === "POST" ? chat(hi) : undefined;
      const { status, text: sentence } = await fetchText(`${path}?userId=bob`, method, body);
      assert.deepEqual([status, sentence], [400, "userId: must be a UUID"]);
    }
    const answer = await app.post("/api/chat", chat(hi), { "x-turn-id": "x" });
    assertRefused(answer, 400, /^x-turn-id: must be a UUID$/);
  });

  test("with any X-Conversation-Id is accepted, since the chat decides its conversation", async () => {
    const { headers } = await app.post("/api/chat", chat(hi));
    for (const header of ["nonsense", randomUUID()]) {
      const answer = await app.post("/api/chat", chat(hi), { "x-conversation-id": header });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["x-conversation-id"], headers["x-conversation-id"]);
    }
  });

  async function fetchText(
    path: string,
    method: string,
    body: unknown,
  ): Promise<{ status: number; text: string }> {
    const answer = body === undefined ? await app.get(path, {}, method) : await app.post(path, body);
    return { status: answer.status, text: answer.body };
  }

  test("that is no JSON, of another type, too large, or for another method or path gets a sentence", async () => {
    assertRefused(
      await app.post("/api/chat", "{"),
      400,
      /^The body is not valid JSON, or has a key like `__proto__`\.$/,
    );
    assertRefused(
      await app.post("/api/chat", "Hi", { "content-type": "text/plain" }),
      415,
      /^The body must be uncompressed application\/json\.$/,
    );
    const large = JSON.stringify(chat(hi)).padEnd(20 * mebibyte + 1, " ");
    assertRefused(await app.post("/api/chat", large), 413, /^The body is larger than 20 MiB\.$/);
    assertRefused(await app.get("/api/chat"), 405, /^This URL does not support that method\.$/);
    assertRefused(await app.get("/api/chat/chat/other"), 404, /^There is nothing at this URL\.$/);
  });

  test("with a text of 1 MiB is accepted, and with one byte more a 413 that names the message", async () => {
    const words = "ä".repeat(mebibyte / 2);
    assert.equal((await app.post("/api/chat", chat(message("user", text(words))))).status, 200);
    assertRefused(
      await app.post(
        "/api/chat",
        chat(hi, message("assistant", text("Yes?")), message("user", text(`${words}x`))),
      ),
      413,
      /^messages\[2\]\.parts: must be at most 1 MiB$/,
    );
  });

  test("that sends back a reply of 2 MiB with its plan is accepted", async () => {
    const plan = { type: "data-plan", id: "plan", data: { text: "- a", state: "done" } };
    const reply = message("assistant", plan, text("x".repeat(2 * mebibyte - 19)));
    assert.equal((await app.post("/api/chat", chat(hi, reply, hi))).status, 200);
  });

  test("with a used turn id is a 409, in a sentence", async () => {
    const headers = { "x-turn-id": randomUUID() };
    assert.equal((await app.post("/api/chat", chat(hi), headers)).status, 200);
    assertRefused(
      await app.post("/api/chat", chat(hi), headers),
      409,
      /^This turn id has already been used\.$/,
    );
  });

  test("with the key of another request is a 409, in a sentence; the same request gets its reply again", async () => {
    const headers = { "idempotency-key": randomUUID() };
    const first = await app.post("/api/chat", chat(hi), headers);
    const again = await app.post("/api/chat", chat(hi), headers);
    assert.deepEqual([again.body, again.headers["idempotency-replayed"]], [first.body, "true"]);
    const other = await app.post("/api/chat", chat(message("user", text("Ho"))), headers);
    assertRefused(other, 409, /^The idempotency key was already used with a different request\.$/);
  });

  test("with parts named like properties of every object is accepted without them", async () => {
    for (const type of ["constructor", "toString", "hasOwnProperty", "valueOf"]) {
      const { status } = await app.post("/api/chat", chat(message("user", { type, text: "x" }, text("Hi"))));
      assert.deepEqual([type, status], [type, 200]);
      assert.deepEqual(promptOf(model.calls.at(-1)), [["user", "Hi"]]);
    }
    const raw = JSON.stringify(chat(message("user", { type: "__proto__" }, text("Hi"))));
    assert.equal((await app.post("/api/chat", raw)).status, 200);
  });

  test("with unknown fields and parts is accepted without them", async () => {
    const reply = message(
      "assistant",
      { type: "step-start" },
      { type: "reasoning", text: "Hm", state: "done" },
      { type: "tool-search", toolCallId: "t", state: "input-streaming", rawInput: '{"q' },
      { type: "tool-", toolCallId: 7 },
      { type: "data-weather", data: [1] },
      text("Yes?"),
    );
    const body = { ...chat(hi, reply, hi), trigger: "regenerate-message", messageId: "m", more: { a: [1] } };
    assert.equal((await app.post("/api/chat", body)).status, 200);
    assert.deepEqual(promptOf(model.calls.at(-1)), [
      ["user", "Hi"],
      ["assistant", "Yes?"],
      ["user", "Hi"],
    ]);
  });

  test("with a system message passes it on as one", async () => {
    assert.equal((await app.post("/api/chat", chat(message("system", text("Rhyme")), hi))).status, 200);
    assert.deepEqual(promptOf(model.calls.at(-1)), [
      ["system", "Rhyme"],
      ["user", "Hi"],
    ]);
  });

  test("whose history holds a refused file is accepted without it, so that the chat can go on", async () => {
    const history = [
      message("user", file("data:text/csv;base64,YQ=="), text("Read it")),
      message("user", file("https://example.com/a.png")),
      message("user", text(" ")),
      message("user", file(png), file("data:image/bmp;base64,Qk0="), text("And this")),
    ];
    assert.equal((await app.post("/api/chat", chat(...history, hi))).status, 200);
    assert.deepEqual(promptOf(model.calls.at(-1)), [
      ["user", "Read it"],
      ["user", [text("And this"), { type: "image_url", image_url: { url: png } }]],
      ["user", "Hi"],
    ]);
  });

  test("of a user whose UUID has no standard version gets a conversation like any other", async () => {
    for (const userId of ["11111111-1111-1111-1111-111111111111", "00000000-0000-0000-0000-000000000000"]) {
      const answers = [
        await app.post("/api/chat", { ...chat(hi), userId }),
        await app.post(`/api/chat?userId=${userId}`, chat(hi)),
      ];
      for (const { status } of answers) assert.equal(status, 200);
      assert.equal(answers[0]?.headers["x-conversation-id"], answers[1]?.headers["x-conversation-id"]);
      assert.equal((await app.get(`/api/chat/chat/stream?userId=${userId}`)).status, 204);
    }
  });
});
