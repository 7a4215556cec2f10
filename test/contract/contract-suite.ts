/** Runs the cases of the contract, cut in every way, against the running app and its rows. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { z } from "zod";
import { readConversations, readMessages } from "../support/databases/read-rows.ts";
import { toChunk, toEvent, type ScriptedCall } from "../support/model/scripted-model.ts";
import { type AppResponse, type RunningApp } from "../support/apps/start-app.ts";
import { useApp, useDatabase, useModel } from "../support/apps/use-app.ts";
import type { StoreHarness } from "../support/databases/store-harness.ts";

const Case = z.strictObject({
  name: z.string(),
  why: z.string(),
  request: z.union([z.string().startsWith("raw:"), z.record(z.string(), z.unknown())]),
  reply: z.string().optional(),
  expect: z.strictObject({
    status: z.number(),
    body: z.string().optional(),
    row: z.strictObject({ content: z.string(), plan: z.string().nullable() }).optional(),
    title: z.string().optional(),
    userMetadata: z.record(z.string(), z.unknown()).optional(),
    upstreamMessages: z.array(z.unknown()).optional(),
    instructionIncludes: z.array(z.string()).optional(),
    problem: z.boolean().optional(),
    detailIncludes: z.string().optional(),
    upstreamCalls: z.number().optional(),
  }),
});
type Case = z.infer<typeof Case>;

const cases = ["cases.json", "cases-2.json"].flatMap((file) =>
  z.array(Case).parse(JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8"))),
);

/** Ways to send the same reply. */
const cuttings: Readonly<Record<string, (call: ScriptedCall, reply: string) => void>> = {
  whole: (call, reply) => sendPieces(call, [reply]),
  "one character at a time": (call, reply) => sendPieces(call, Array.from(reply)),
  "one UTF-16 unit at a time": (call, reply) => sendPieces(call, reply.split("")),
  "one byte at a time": (call, reply) => {
    const bytes = Buffer.from(
      toEvent(toChunk({ content: reply })) + toEvent(toChunk({}, "stop")) + "data: [DONE]\n\n",
    );
    for (let index = 0; index < bytes.length; index += 1) call.raw(bytes.subarray(index, index + 1));
    call.end();
  },
  "at random": (call, reply) => sendPieces(call, cutAtRandom(reply)),
};

/** Runs the contract against an app that stores in the database that `start` starts. */
export function runContract(store: string, start: () => Promise<StoreHarness>): void {
  describe(`POST /stream-chat keeps the contract on ${store}`, () => {
    const model = useModel();
    const database = useDatabase(start);
    const app = useApp(model, {}, { database });
    for (const item of cases) {
      for (const [cutting, send] of Object.entries(cuttings)) {
        if (item.reply === undefined && cutting !== "whole") continue;
        test(`${item.name}, ${cutting}: ${item.why}`, async () => {
          const calls = model.calls.length;
          model.script = (call) => send(call, item.reply ?? "");
          const userId = randomUUID();
          const body =
            typeof item.request === "string"
              ? item.request.slice("raw:".length)
              : { userId, ...item.request };
          const answer = await app.post("/stream-chat", body);
          await check(item, answer, { app, userId, calls: model.calls.slice(calls) });
        });
      }
    }
  });
}

async function check(
  { expect }: Case,
  answer: AppResponse,
  { app, userId, calls }: { app: RunningApp; userId: string; calls: readonly ScriptedCall[] },
): Promise<void> {
  assert.equal(answer.status, expect.status);
  assert.equal(calls.length, expect.upstreamCalls ?? 1);
  if (expect.problem === true) checkProblem(answer, expect.detailIncludes ?? "");
  if (expect.status !== 200) return;
  assert.equal(answer.headers["content-type"], "text/plain; charset=utf-8");
  assert.ok(answer.isComplete);
  if (expect.body !== undefined) assert.equal(answer.body, expect.body);
  const [instruction, ...messages] = calls[0]?.body.messages ?? [];
  assert.equal(instruction?.role, "system");
  if (expect.upstreamMessages !== undefined) assert.deepEqual(messages, expect.upstreamMessages);
  for (const words of expect.instructionIncludes ?? []) {
    assert.ok(String(instruction?.content).toLowerCase().includes(words.toLowerCase()), words);
  }
  const conversationId = String(answer.headers["x-conversation-id"]);
  const rows = await readMessages(app.app.store.database, conversationId, userId);
  const reply = rows.at(-1);
  assert.equal(reply?.role, "assistant");
  if (expect.row !== undefined) {
    assert.deepEqual({ content: reply?.content, plan: reply?.metadata?.["plan"] ?? null }, expect.row);
    if (expect.row.plan === null) assert.ok(!Object.hasOwn(reply?.metadata ?? {}, "plan"));
  }
  const [conversation] = await readConversations(app.app.store.database, userId);
  if (expect.title !== undefined) assert.equal(conversation?.title, expect.title);
  const question = rows.findLast(({ role }) => role === "user");
  for (const [key, value] of Object.entries(expect.userMetadata ?? {}))
    assert.deepEqual(question?.metadata?.[key], value);
}

function checkProblem(answer: AppResponse, detailIncludes: string): void {
  assert.match(answer.headers["content-type"] ?? "", /^application\/problem\+json/);
  const { detail } = z.object({ detail: z.string() }).parse(JSON.parse(answer.body));
  assert.ok(detail.includes(detailIncludes), `${detail} should include ${detailIncludes}`);
}

function sendPieces(call: ScriptedCall, pieces: readonly string[]): void {
  for (const piece of pieces) call.text(piece);
  call.finish();
}

function cutAtRandom(text: string): string[] {
  const pieces: string[] = [];
  for (let start = 0; start < text.length;) {
    const end = start + 1 + Math.floor(Math.random() * 12);
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}
