/**
 * A turn that another process ended as interrupted while its own process stalled, and that its process then
 * completed.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { ManualClock } from "../../support/manual-clock.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import { type AppResponse } from "../../support/apps/start-app.ts";
import { readEvents, type ReadEvent } from "../../wires/openai-responses/scripted-log.ts";
import { ObservedChat, reopenChat, textOf } from "../../support/clients/ui-chat.ts";
import { useReplicas } from "../../support/apps/use-app.ts";

/** How often a process saves the text of its turns, and how often it looks for abandoned ones. */
const saveMs = 500;
const lookMs = 4_000;

describe("a turn that was ended as interrupted", { timeout: 120_000 }, () => {
  const ownerClock = new ManualClock();
  const clock = new ManualClock();
  /**
   * The process that stalls, as long as its clock stands still, and the one that recovers its turn. Without
   * wake-ups: by one, a process that does not really stall would save its turn, and so show that it lives.
   */
  const {
    model,
    database,
    here: owner,
    there: other,
  } = useReplicas({ here: ownerClock, there: clock }, { DATABASE_WAKE_UPS: "false" });

  /** Lets the other process recover the turn as abandoned. */
  async function recover(turnId: string): Promise<void> {
    await database.sql(`update turns set heartbeat_at = now() - interval '1 hour' where id = '${turnId}'`);
    const isRecovered = (): boolean =>
      other.logs.some((line) => line.turnId === turnId && line.msg.startsWith("recovered an orphaned turn"));
    // It checks repeatedly until its database has been healthy for long enough.
    while (!isRecovered()) {
      await clock.timer(lookMs);
      await clock.pass(lookMs);
    }
  }

  const typed = { accept: "text/event-stream" };

  test("is complete once its process is back, and continues for a follower that resumes after the interrupted end", async () => {
    const userId = randomUUID();
    const shown = new ObservedChat(owner.url, { id: "chat", userId });
    const { call, sending } = await shown.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nSo");
    await shown.until(() => shown.text === "So");
    const { turnId = "", conversationId = "" } = shown.last.metadata ?? {};
    const path = `/turns/${turnId}`;
    const follow = async (last: string): Promise<AppResponse> =>
      await other.get(`${path}/stream?userId=${userId}`, { ...typed, "last-event-id": last });
    const state = async (): Promise<{ status: string; answer: string }> =>
      JSON.parse((await other.get(`${path}?userId=${userId}`)).body);
    ownerClock.advance(await ownerClock.timer(saveMs));
    while ((await state()).answer !== "So"); // it is saved
    const messages = shown.chat.messages.slice(0, 1);
    const second = new ObservedChat(other.url, { id: "chat", userId, messages });
    const resuming = second.chat.resumeStream();
    await second.until(() => second.text === "So");
    await recover(turnId);
    // The clock makes it read again.
    for (; second.chat.status !== "error"; await state()) await clock.pass(2_000);
    await resuming;
    assert.deepEqual(
      [second.chat.status, second.last.metadata?.outcome, second.text],
      ["error", "interrupted", "So"],
    );
    assert.deepEqual([(await state()).status, (await state()).answer], ["interrupted", "So"]);
    const told = await follow("0");
    const [, last = ""] = /id: (\d+\.end)\n/.exec(told.body) ?? [];
    assert.match(told.body, /"outcome":"interrupted"/);
    assert.equal((await follow(last)).status, 204);

    call.text(" be it.").finish();
    await sending;
    assert.equal(shown.text, "So be it.");
    assert.deepEqual([(await state()).status, (await state()).answer], ["complete", "So be it."]);
    const rest = await follow(last);
    assert.match(rest.body, /"text":" be it\."/);
    assert.match(rest.body, /"outcome":"complete"/);
    const rows = await readMessages(owner.app.store.database, conversationId, userId);
    assert.deepEqual(
      rows.map(({ content, status }) => [content, status]),
      [
        ["Hi", null],
        ["So be it.", "complete"],
      ],
    );
    assert.equal(rows[1]?.id, turnId);
    await second.chat.resumeStream();
    assert.deepEqual(
      [second.chat.status, second.last.metadata?.outcome, second.chat.messages.map(textOf)],
      ["ready", "complete", ["Hi", "So be it."]],
    );
  });

  test("has the whole rest for a client of the Responses API that resumes after the failure", async () => {
    const userId = randomUUID();
    const next = model.nextCall();
    const body = { model: "scripted+plan", input: "Hi", user: userId, background: true };
    const { id } = JSON.parse((await owner.post("/v1/responses", body)).body);
    const call = await next;
    call.text("- a\n---RESPONSE---\nSo");
    const path = `/v1/responses/${id}?userId=${userId}`;
    const read = async (after: string): Promise<readonly ReadEvent[]> =>
      readEvents((await other.get(`${path}&stream=true${after}`)).body);
    while (!(await owner.get(path)).body.includes('"So"'));
    ownerClock.advance(await ownerClock.timer(saveMs));
    const turnId = id.slice("resp_".length);
    const state = async (): Promise<{ status: string; answer: string }> =>
      JSON.parse((await other.get(`/turns/${turnId}?userId=${userId}`)).body);
    while ((await state()).answer !== "So"); // it is saved
    await recover(turnId);
    const seen = await read("");
    const { type, sequence_number: last } = seen.at(-1) ?? assert.fail();
    assert.equal(type, "error");
    call.text(" be it.").finish();
    while ((await state()).status !== "complete");
    const rest = await read(`&starting_after=${last}`);
    const text = [...seen, ...rest].map((event) =>
      event.type.endsWith("output_text.delta") ? event.delta : "",
    );
    assert.equal(text.join(""), "So be it.");
    assert.equal(rest.at(-1)?.type, "response.completed");
  });

  test("is loaded under the id of its stream, and goes on from there without another row", async () => {
    const userId = randomUUID();
    const shown = new ObservedChat(owner.url, { id: "loaded", userId });
    const { call, sending } = await shown.ask(model, "Hi");
    call.text("- a\n---RESPONSE---\nSo");
    await shown.until(() => shown.text === "So");
    const { turnId = "", conversationId = "" } = shown.last.metadata ?? {};
    ownerClock.advance(await ownerClock.timer(saveMs));
    for (let answer = ""; answer !== "So";)
      ({ answer } = JSON.parse((await other.get(`/turns/${turnId}?userId=${userId}`)).body));
    await recover(turnId);
    const loaded = await reopenChat(other.url, { id: "loaded", userId });
    assert.deepEqual(
      [loaded.last.id, loaded.text, loaded.last.metadata?.outcome, loaded.last.metadata?.errorCode],
      [shown.last.id, "So", "interrupted", "interrupted"],
    );
    await loaded.chat.resumeStream();
    assert.deepEqual([loaded.chat.status, loaded.chat.messages.map(textOf)], ["ready", ["Hi", "So"]]);
    await loaded.say(model, "Go on", "- b\n---RESPONSE---\nOn.");
    const rows = await readMessages(other.app.store.database, conversationId, userId);
    assert.deepEqual(
      rows.map(({ content }) => content),
      ["Hi", "So", "Go on", "On."],
    );
    call.text(" be it.").finish();
    await sending;
    const again = await reopenChat(other.url, { id: "loaded", userId });
    assert.deepEqual(again.chat.messages.map(textOf), ["Hi", "So", "Go on", "On."]);
  });
});
