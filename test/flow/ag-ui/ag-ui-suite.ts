/** The real clients of AG-UI's wire on every database: chats, tools, approvals, cuts, and reloads. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { agentVersions, ObservedAgent, ObservedThread } from "../../support/clients/ag-ui.ts";
import { promptOf } from "../../support/clients/ui-chat.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import type { RunningApp } from "../../support/apps/start-app.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { startTcpProxy } from "../../support/network/tcp-proxy.ts";
import { useTools } from "../tools/use-tools.ts";

const plan = "- Look\n---RESPONSE---\n";
const where = { name: "where", description: "Where", parameters: { type: "object", properties: {} } };
const output = '{"content":[{"type":"text","text":"42"}]}';
/** The prompt of a second question. */
const asked = [
  ["user", "Hi"],
  ["assistant", "Hello."],
  ["user", "Again"],
];
const Result = z.object({ conversationId: z.string() });

/** Runs the suite on the database that `start` starts, with one replica if it supports no more. */
export function runAgUiSuite(name: string, start: () => Promise<StoreHarness>, replicaCount: 1 | 2): void {
  describe(`AG-UI's clients, on ${name}`, { timeout: 240_000 }, () => {
    const model = useModel();
    const tools = useTools("suite");
    const database = useDatabase(start);
    const apps = Array.from({ length: replicaCount }, () =>
      useApp(model, () => tools.variables, { database }),
    );
    const [here = assert.fail(), there = here] = apps;

    const userId = randomUUID();

    /** The path that is shown, once each write is in the store: each message as its role and its text. */
    async function pathOf(conversationId: string): Promise<readonly unknown[]> {
      for (const { app } of [here, there])
        await app.store.rows?.untilWritesStored({ userId, accessToken: undefined }, conversationId);
      const rows = await readMessages(here.app.store.database, conversationId, userId);
      return rows.map(({ role, content }) => [role, content]);
    }

    /** A chat of TanStack AI, with a tool of its own that says `Oslo`. */
    function open(threadId: string, app: RunningApp = here, isStored = false): ObservedThread {
      const own = { where: () => ({ city: "Oslo" }) };
      return new ObservedThread({ url: app.url, userId, threadId, tools: own, isStored });
    }

    /** Loads a thread as a page that is opened does. */
    async function load(threadId: string, app: RunningApp = here): Promise<ObservedThread> {
      const shown = open(threadId, app, true);
      shown.chat.attach();
      await shown.until(() => shown.messages.length > 0 && shown.chat.getStatus() === "ready");
      return shown;
    }

    for (const version of agentVersions) {
      const openAgent = (threadId = randomUUID()): ObservedAgent =>
        new ObservedAgent(version, { url: here.url, userId, threadId });

      test(`HttpAgent ${version} gets plan and answer, and goes on with its thread`, async () => {
        const shown = openAgent(`thread ${randomUUID()}`);
        model.say(`${plan}Hello.`);
        await shown.ask("Hi");
        const { conversationId } = Result.parse(await shown.ask("Again"));
        assert.deepEqual(promptOf(model.calls.at(-1)), asked);
        const turns = [
          ["user", "Hi"],
          ["reasoning", "- Look"],
          ["assistant", "Hello."],
          ["user", "Again"],
          ["reasoning", "- Look"],
          ["assistant", "Hello."],
        ];
        assert.deepEqual(shown.shown, turns);
        assert.deepEqual(
          await pathOf(conversationId),
          turns.filter(([role]) => role !== "reasoning"),
        );
      });

      test(`HttpAgent ${version} shows a tool of the server, and answers its request for approval`, async () => {
        const shown = openAgent();
        tools.say("42");
        model.inOrder(
          (call) => call.text(`${plan}Let me look.`).toolCall("w__look", { at: 1 }).finish("tool_calls"),
          (call) => call.text("Now act.").toolCall("w__act").finish("tool_calls"),
          (call) => call.text("Done.").finish(),
        );
        await shown.ask("Act");
        const [pending] = shown.agent.pendingInterrupts;
        assert.deepEqual([pending?.reason, pending?.metadata?.["toolName"]], ["approval_required", "w__act"]);
        const { conversationId } = Result.parse(await shown.answer(true));
        assert.deepEqual(shown.shown, [
          ["user", "Act"],
          ["reasoning", "- Look"],
          ["assistant", "Let me look.", "w__look"],
          ["tool", output],
          ["assistant", "Now act.", "w__act"],
          ["tool", output],
          ["assistant", "Done."],
        ]);
        const whole = "Let me look.\n\nNow act.\n\nDone.";
        assert.deepEqual(await pathOf(conversationId), [
          ["user", "Act"],
          ["assistant", whole],
        ]);
        model.say(`${plan}So.`);
        await shown.ask("Sure?");
        assert.deepEqual(await pathOf(conversationId), [
          ["user", "Act"],
          ["assistant", whole],
          ["user", "Sure?"],
          ["assistant", "So."],
        ]);
      });

      test(`HttpAgent ${version} denies a call, which does not run`, async () => {
        const shown = openAgent();
        model.inOrder(
          (call) => call.text(plan).toolCall("w__act").finish("tool_calls"),
          (call) => call.text("Well.").finish(),
        );
        await shown.ask("Act");
        const calls = tools.server.callCount;
        await shown.answer(false);
        assert.equal(tools.server.callCount, calls);
        assert.deepEqual(shown.shown.at(-1), ["assistant", "Well."]);
        assert.deepEqual(shown.agent.pendingInterrupts, []);
      });

      test(`HttpAgent ${version} runs a tool of its own, and the reply goes on with the result`, async () => {
        const shown = openAgent();
        model.inOrder(
          (call) => call.text(`${plan}Wait.`).toolCall("where", { a: 1 }, "c1").finish("tool_calls"),
          (call) => call.text("In Oslo.").finish(),
        );
        await shown.ask("Where?", { tools: [where] });
        shown.agent.addMessage({ id: "t", role: "tool", toolCallId: "c1", content: "Oslo" });
        const { conversationId } = Result.parse(await shown.run({ tools: [where] }));
        assert.deepEqual(shown.shown.slice(2), [
          ["assistant", "Wait.", "where"],
          ["tool", "Oslo"],
          ["assistant", "In Oslo."],
        ]);
        assert.deepEqual(model.calls.at(-1)?.body.messages.at(-1), {
          role: "tool",
          content: "Oslo",
          tool_call_id: "c1",
        });
        assert.deepEqual(await pathOf(conversationId), [
          ["user", "Where?"],
          ["assistant", "Wait.\n\nIn Oslo."],
        ]);
      });

      test(`HttpAgent ${version} is told of a failure, with the text so far`, async () => {
        const shown = openAgent();
        model.script = (call) => call.text(`${plan}So far`).end();
        await shown.ask("Hi");
        assert.deepEqual([shown.errors, shown.shown.at(-1)], [["model_truncated"], ["assistant", "So far"]]);
      });
    }

    test("TanStack AI gets plan and answer, and goes on with its thread", async () => {
      const shown = open(`thread ${randomUUID()}`);
      model.say(`${plan}Hello.`);
      await shown.chat.sendMessage("Hi");
      await shown.chat.sendMessage("Again");
      assert.deepEqual(promptOf(model.calls.at(-1)), asked);
      assert.deepEqual(shown.shown, [
        ["user", "text Hi"],
        ["assistant", "thinking - Look", "text Hello."],
        ["user", "text Again"],
        ["assistant", "thinking - Look", "text Hello."],
      ]);
    });

    test("TanStack AI runs a tool of its own, and the reply goes on with the result", async () => {
      const threadId = randomUUID();
      const shown = open(threadId);
      model.inOrder(
        (call) => call.text(plan).toolCall("where", { a: 1 }, "c1").finish("tool_calls"),
        (call) => call.text("In Oslo.").finish(),
      );
      await shown.chat.sendMessage("Where?");
      await shown.until(() => shown.text === "In Oslo." && shown.chat.getStatus() === "ready");
      assert.deepEqual(shown.shown, [
        ["user", "text Where?"],
        ["assistant", "thinking - Look", "where complete", "tool-result complete"],
        ["assistant", "text In Oslo."],
      ]);
      assert.deepEqual(await pathOf(threadId), [
        ["user", "Where?"],
        ["assistant", "In Oslo."],
      ]);
      model.say(`${plan}So.`);
      await shown.chat.sendMessage("Sure?");
      assert.equal((await pathOf(threadId)).length, 4);
      const loaded = await load(threadId, there);
      assert.deepEqual(loaded.shown, shown.shown);
    });

    test("TanStack AI approves a call after a reload, and the reply goes on", async () => {
      const threadId = randomUUID();
      const first = open(threadId);
      tools.say("42");
      model.inOrder(
        (call) => call.text(`${plan}Wait.`).toolCall("w__act", { now: true }).finish("tool_calls"),
        (call) => call.text("Done.").finish(),
      );
      await first.chat.sendMessage("Act");
      const pending = [
        ["user", "text Act"],
        ["assistant", "thinking - Look", "text Wait.", "w__act approval-requested"],
      ];
      assert.deepEqual(first.shown, pending);
      const shown = await load(threadId, there);
      assert.deepEqual(shown.shown, pending);
      const [interrupt] = shown.chat.getInterruptState().interrupts;
      await shown.chat.addToolApprovalResponse({ id: interrupt?.id ?? "", approved: true });
      await shown.until(() => shown.text === "Done." && shown.chat.getStatus() === "ready");
      assert.deepEqual([shown.errors, shown.chat.getInterruptState().interrupts], [[], []]);
      assert.deepEqual(shown.shown, [
        ["user", "text Act"],
        ["assistant", "thinking - Look", "text Wait.", "w__act complete", "tool-result complete"],
        ["assistant", "text Done."],
      ]);
      assert.deepEqual(await pathOf(threadId), [
        ["user", "Act"],
        ["assistant", "Wait.\n\nDone."],
      ]);
      assert.deepEqual((await load(threadId, here)).shown, shown.shown);
    });

    test("TanStack AI whose connection is cut gets the rest of its run, which is not started again", async (context) => {
      const proxy = await startTcpProxy(Number(new URL(here.url).port));
      context.after(() => proxy.close());
      const threadId = randomUUID();
      const shown = new ObservedThread({ url: `http://127.0.0.1:${proxy.port}`, userId, threadId });
      const calls = model.calls.length;
      const next = model.nextCall();
      const sending = shown.chat.sendMessage("Hi");
      const call = await next;
      for (const piece of [`${plan}He`, "ll", "o."]) {
        call.text(piece);
        await shown.until(() => shown.text.endsWith(piece.slice(-2)));
        proxy.cutAll();
      }
      call.finish();
      await sending;
      assert.deepEqual(
        [shown.errors, shown.text, shown.chat.getStatus(), model.calls.length],
        [[], "Hello.", "ready", calls + 1],
      );
      assert.ok(
        shown.requests.every(
          ({ method, lastEventId }, index) => method === "POST" && (index === 0) === (lastEventId === null),
        ),
      );
      assert.deepEqual(await pathOf(threadId), [
        ["user", "Hi"],
        ["assistant", "Hello."],
      ]);
    });

    test("TanStack AI that is loaded again during a run, anywhere, shows it once and to its end", async () => {
      const threadId = `thread ${randomUUID()}`;
      const first = open(threadId);
      model.say(`${plan}Hello.`);
      await first.chat.sendMessage("Hi");
      const next = model.nextCall();
      const sending = first.chat.sendMessage("Again");
      const call = await next;
      call.text(`${plan}He`);
      await first.until(() => first.text === "He");
      const loaded = open(threadId, there, true);
      loaded.chat.attach();
      await loaded.until(() => loaded.text === "He");
      call.text("llo.").finish();
      await sending;
      await loaded.until(() => loaded.text === "Hello." && loaded.chat.getStatus() === "ready");
      assert.deepEqual([loaded.errors, loaded.shown], [[], first.shown]);
    });
  });
}
