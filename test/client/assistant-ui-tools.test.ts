/** Tools in assistant-ui: calls of the server that its user approves or denies, and calls of the page. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createClient, type ForewordClient } from "../../packages/foreword-client/src/client.ts";
import { sayTwoCalls, useToolsFile } from "../flow/tools/use-tools.ts";
import { useApp, useModel, useResource } from "../support/apps/use-app.ts";
import { AssistantPage } from "./assistant-ui-page.ts";

const script = fileURLToPath(new URL("../tools/servers/stdio-server.ts", import.meta.url));

describe("tools in assistant-ui", { timeout: 120_000 }, () => {
  const model = useModel();
  const variables = useToolsFile({ hand: { command: process.execPath, args: [script] } });
  const app = useApp(model, () => ({ ...variables(), CHAT_STORE_ENABLED: "true" }));
  useResource(async () => {
    await app.app.tools?.ready(60_000);
  });
  const connect = (): ForewordClient => createClient({ baseUrl: app.url, userId: randomUUID() });

  /** The calls of the last message, by their ids: result, error and approval. */
  const callsOf = (page: AssistantPage) =>
    (page.messages.at(-1)?.content ?? []).flatMap((part) =>
      part.type === "tool-call" ? [[part.toolCallId, part.isError, part.approval?.approved]] : [],
    );

  const answer = async (page: AssistantPage, callId: string, approved: boolean) =>
    await page.do(async (runtime) => {
      const last = runtime.thread.getMessageByIndex(page.messages.length - 1);
      await last.getMessagePartByToolCallId(callId).respondToToolApproval({ approved });
    });

  const isWaiting = (page: AssistantPage) => () => page.messages.at(-1)?.status?.type === "requires-action";
  const isOver = (page: AssistantPage) => () => page.messages.at(-1)?.status?.type === "complete";

  test("of the server wait for their user, and go on in the same message", async (context) => {
    sayTwoCalls(model);
    const client = connect();
    const page = await AssistantPage.openFor(context, client);
    await page.do((runtime) => runtime.thread.append("Echo it"));
    await page.until(isWaiting(page));
    await answer(page, "c1", true);
    assert.deepEqual(page.messages.at(-1)?.status?.type, "requires-action");
    await answer(page, "c2", false);
    await page.until(isOver(page));
    assert.deepEqual(callsOf(page), [
      ["c1", false, true],
      ["c2", true, false],
    ]);
    assert.match(page.texts.at(-1) ?? "", /^assistant: Let me see\.\s*Done\.$/);
    const { messages } = await client.conversations.messages(page.conversationId);
    assert.deepEqual(
      messages[1]?.tools?.map(({ callId, status }) => [callId, status]),
      [
        ["c1", "complete"],
        ["c2", "denied"],
      ],
    );
  });

  test("of the server still wait after a reload, and are approved then", async (context) => {
    sayTwoCalls(model);
    const client = connect();
    const first = await AssistantPage.open(client);
    await first.do((runtime) => runtime.thread.append("Echo it"));
    await first.until(isWaiting(first));
    const { conversationId } = first;
    await first.close();
    const second = await AssistantPage.openFor(context, client);
    await second.show(conversationId);
    await second.until(isWaiting(second));
    await answer(second, "c1", true);
    await answer(second, "c2", true);
    await second.until(isOver(second));
    assert.match(second.texts.at(-1) ?? "", /Done\.$/);
    assert.equal((await client.conversations.messages(conversationId, { tree: true })).messages.length, 2);
  });

  test("of the page get its results, and the same message goes on", async (context) => {
    model.inOrder(
      (call) => call.text("- p\n---RESPONSE---\nWait.").toolCall("pick", { n: 1 }, "p1").finish("tool_calls"),
      (call) => call.text("You picked red.").finish(),
    );
    const client = connect();
    const page = await AssistantPage.openFor(context, client, { tools: [{ name: "pick" }] });
    await page.do((runtime) => runtime.thread.append("Pick"));
    await page.until(isWaiting(page));
    const [, , call] = page.messages.at(-1)?.content ?? [];
    assert.ok(call?.type === "tool-call");
    assert.deepEqual([call.toolName, call.args, call.argsText], ["pick", { n: 1 }, `{"n":1}`]);
    await page.do((runtime) => {
      const last = runtime.thread.getMessageByIndex(page.messages.length - 1);
      last.getMessagePartByToolCallId("p1").addToolResult("red");
    });
    await page.until(isOver(page));
    assert.match(page.texts.at(-1) ?? "", /^assistant: Wait\.\s*You picked red\.$/);

    const other = await AssistantPage.openFor(context, client);
    await other.show(page.conversationId);
    assert.match(other.texts.at(-1) ?? "", /^assistant: Wait\.\s*You picked red\.$/);
    const results = other.messages
      .at(-1)
      ?.content.flatMap((part) => (part.type === "tool-call" ? [part.result] : []));
    assert.deepEqual(results, ["red"]);
  });
});
