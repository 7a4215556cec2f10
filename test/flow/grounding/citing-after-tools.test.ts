/** Citations in replies that call tools, and wait for approvals: each has its place in the text. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, describe, test } from "node:test";
import { z } from "zod";
import { ObservedAgent } from "../../support/clients/ag-ui.ts";
import { ObservedChat } from "../../support/clients/ui-chat.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";
import { useWeb } from "../../support/web/scripted-web.ts";
import { useTools } from "../tools/use-tools.ts";
import OpenAI from "openai";
import type { Response, ResponseStreamEvent } from "openai/resources/responses/responses";

const question = "When is high tide?";
const messages = [{ role: "user" as const, content: question }];
const wish = { use_web_search: true };
const [first, last] = ["🌊 Let me look [2].", "At 04:12 [1][2]; `[1]`."];
const answer = `${first}\n\n${last}`;
const Annotated = z.object({ annotations: z.array(z.unknown()) });

describe("the citations of a reply with tool calls", { timeout: 120_000 }, () => {
  const model = useModel();
  const tools = useTools("suite");
  const web = useWeb("suite");
  const app = useApp(model, () => ({ ...web.variables, ...tools.variables, CHAT_STORE_ENABLED: "true" }));

  beforeEach(() => {
    model.calls.length = 0;
    web.find(
      { title: "Tides", url: web.toPageUrl("gone"), content: "High tide is at 04:12." },
      { title: "Harbour", url: web.toPageUrl("lost"), content: "The harbour opens at six." },
    );
  });

  /** Has the model call `name` after the first part of its answer. */
  function call(name: string): void {
    model.inOrder(
      (step) =>
        step.text(`- Look\n---RESPONSE---\n${first}`).toolCall(name, { a: 1 }, "c1").finish("tool_calls"),
      (step) => step.text(last).finish(),
    );
  }

  /** The citations in a text without code before them, counted by hand. */
  function toCitations(text: string): readonly object[] {
    return Array.from(text.matchAll(/(?<!`)\[(\d)\]/g), ({ 0: found, 1: number, index }) => {
      const start = Array.from(text.slice(0, index)).length;
      const [title, name] = number === "1" ? ["Tides", "gone"] : ["Harbour", "lost"];
      return { start_index: start, end_index: start + found.length, title, url: web.toPageUrl(name) };
    });
  }

  const connect = (userId: string): OpenAI =>
    new OpenAI({ apiKey: "none", baseURL: `${app.url}/v1`, defaultQuery: { userId }, maxRetries: 0 });

  test("are counted over the whole answer by Chat Completions, whole and streamed", async () => {
    const client = connect(randomUUID()).chat.completions;
    const asked = { model: "scripted+plan", messages, ...wish };
    const nested = toCitations(answer).map((citation) => ({ type: "url_citation", url_citation: citation }));
    assert.equal(nested.length, 3);
    call("w__look");
    const whole = await client.create(asked);
    assert.equal(whole.choices[0]?.message.content, answer);
    assert.deepEqual(whole.choices[0]?.message.annotations, nested);
    call("w__look");
    const deltas: object[] = [];
    for await (const { choices } of await client.create({ ...asked, stream: true }))
      deltas.push(...choices.map(({ delta }) => delta));
    const annotated = deltas.filter((delta) => "annotations" in delta);
    assert.deepEqual(
      annotated.map((delta) => Annotated.parse(delta).annotations),
      [nested],
    );
  });

  /** Asserts that each message of a response has the citations of its text; returns how many. */
  function assertCited({ output }: Response): number {
    let count = 0;
    for (const item of output)
      if (item.type === "message")
        for (const part of item.content) {
          assert.ok(part.type === "output_text");
          const own = toCitations(part.text).map((citation) => ({ type: "url_citation", ...citation }));
          assert.deepEqual(part.annotations, own);
          count += own.length;
        }
    return count;
  }

  /** Asserts that the events that add citations name the items of the response that has them. */
  function assertPlaced(events: readonly ResponseStreamEvent[]): Response {
    const end = events.at(-1);
    assert.ok(end?.type === "response.completed");
    const { response } = end;
    const added = events.filter((event) => event.type === "response.output_text.annotation.added");
    assert.equal(added.length, assertCited(response));
    for (const { item_id: id, output_index: index, annotation_index: place, annotation } of added) {
      const item = response.output[index];
      assert.ok(item?.type === "message" && item.id === id);
      const [part] = item.content;
      assert.ok(part?.type === "output_text");
      assert.deepEqual(part.annotations[place], annotation);
    }
    return response;
  }

  async function readAll(
    stream: AsyncIterable<ResponseStreamEvent>,
  ): Promise<readonly ResponseStreamEvent[]> {
    return await Array.fromAsync(stream);
  }

  test("are those of each message of a response before and after a call, and of its stored items", async () => {
    const { responses, conversations } = connect(randomUUID());
    const asked = { model: "scripted+plan", input: question, ...wish };
    call("w__look");
    const conversationId = randomUUID();
    const headers = { "x-conversation-id": conversationId };
    const whole = await responses.create(asked, { headers });
    assert.deepEqual(
      whole.output.map(({ type }) => type),
      ["reasoning", "message", "mcp_call", "message"],
    );
    assert.equal(assertCited(whole), 3);
    assert.deepEqual((await responses.retrieve(whole.id)).output, whole.output);
    const { data } = await conversations.items.list(`conv_${conversationId}`, { order: "asc" });
    const stored = data.filter((item) => item.type === "message" && item.role === "assistant");
    const said = whole.output.filter((item) => item.type === "message");
    assert.deepEqual(
      stored.map((item) => item.type === "message" && item.content),
      said.map(({ content }) => content),
    );
    call("w__look");
    const streamed = assertPlaced(await readAll(await responses.create({ ...asked, stream: true })));
    assertPlaced(await readAll(await responses.retrieve(streamed.id, { stream: true })));
  });

  test("are those of both responses of a turn that waited for an approval", async () => {
    const { responses } = connect(randomUUID());
    const asked = { model: "scripted+plan", ...wish };
    call("w__act");
    const waiting = assertPlaced(
      await readAll(await responses.create({ ...asked, input: question, stream: true })),
    );
    assert.equal(assertCited(waiting), 1);
    const request = waiting.output.at(-1);
    assert.ok(request?.type === "mcp_approval_request");
    const approval = {
      type: "mcp_approval_response",
      approval_request_id: request.id,
      approve: true,
    } as const;
    const next = { ...asked, previous_response_id: waiting.id, input: [approval] };
    const ended = assertPlaced(await readAll(await responses.create({ ...next, stream: true })));
    assert.equal(assertCited(ended), 2);
    for (const { id, output } of [waiting, ended]) {
      assert.deepEqual((await responses.retrieve(id)).output, output);
      assertPlaced(await readAll(await responses.retrieve(id, { stream: true })));
    }
    assert.equal(web.searches.length, 1);
  });

  test("have their sources once in a message of the AI SDK that waited, also after a reload", async () => {
    const userId = randomUUID();
    const shown = new ObservedChat(app.url, { userId, body: wish });
    call("w__act");
    await shown.chat.sendMessage({ text: question });
    const listParts = (): readonly string[] => shown.last.parts.map(({ type }) => type);
    const before = ["step-start", "source-url", "source-url", "data-plan", "text", "dynamic-tool"];
    assert.deepEqual(listParts(), before);
    shown.answer(true);
    await shown.ended(2);
    assert.equal(shown.chat.error, undefined);
    assert.deepEqual(listParts(), [...before, "step-start", "text"]);
    assert.equal(shown.text, first + last);
    const loaded = await app.get(`/api/chat/${shown.chat.id}?userId=${userId}`);
    const chat = z.array(z.object({ parts: z.array(z.unknown()) })).parse(JSON.parse(loaded.body));
    assert.deepEqual(chat.at(-1)?.parts.slice(0, 3), shown.last.parts.slice(0, 3));
    assert.equal(chat.at(-1)?.parts.length, before.length + 2);
  });

  test("have their sources once in the two runs of AG-UI's client", async () => {
    const options = { url: app.url, userId: randomUUID(), threadId: randomUUID() };
    const observed = new ObservedAgent("1.0.0", options);
    call("w__act");
    await observed.ask(question, { forwardedProps: wish });
    assert.deepEqual(observed.customs, ["search", "source", "source"]);
    await observed.answer(true);
    assert.deepEqual([observed.customs.length, observed.errors], [3, []]);
    assert.match(JSON.stringify(observed.shown.at(-1)), /At 04:12 \[1\]\[2\]/);
  });

  test("reach the model with the reply that goes on, but not in later turns, where its calls stay in place", async () => {
    const userId = randomUUID();
    const ask = async (text: string, more: object = {}): Promise<string> => {
      const body = { messages: [{ role: "user", content: text }], userId, ...more };
      const { headers } = await app.post("/stream-chat", body);
      return String(headers["x-conversation-id"]);
    };
    call("w__look");
    const conversationId = await ask(question, wish);
    const sent = (): unknown[] =>
      model.calls
        .at(-1)
        ?.body.messages.slice(1)
        .map(({ role, content }) => [role, content]) ?? [];
    assert.deepEqual(sent().slice(0, 2), [
      ["user", question],
      ["assistant", `- Look\n---RESPONSE---\n${first}`],
    ]);
    model.say("- a\n---RESPONSE---\n", "Yes.");
    await ask("Sure?", { conversationId, parentId: "leaf" });
    assert.deepEqual(sent(), [
      ["user", question],
      ["assistant", "🌊 Let me look."],
      ["tool", "42"],
      ["assistant", "At 04:12; `[1]`."],
      ["user", "Sure?"],
    ]);
  });
});
