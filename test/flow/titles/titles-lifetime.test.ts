/** Titles by a model whose model is silent, and of a server that stops. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { startPglite } from "../../support/databases/store-harness.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { readResponse, type RunningApp } from "../../support/apps/start-app.ts";
import { useDatabase, useModel, useStartApp } from "../../support/apps/use-app.ts";
import type { ScriptedCall } from "../../support/model/scripted-model.ts";

describe("a title by a model", { timeout: 60_000 }, () => {
  const model = useModel("test");
  const database = useDatabase(startPglite);
  const startApp = useStartApp(model, { TITLE_MODEL: "titles" }, { database });

  /** Starts the first turn of a conversation; resolves with the model's call for its title. */
  async function askForTitle(app: RunningApp) {
    const place = { userId: randomUUID(), conversationId: randomUUID() };
    const pending = Promise.withResolvers<ScriptedCall>();
    model.script = (call) =>
      call.body.model === "titles"
        ? pending.resolve(call)
        : call.text("- p\n---RESPONSE---\nSunny.").finish();
    const body = { ...place, messages: [{ sender: "user", text: "Weather?" }] };
    const response = await app.open("POST", "/stream-chat", body, { accept: "text/event-stream" });
    const call = await pending.promise;
    return { place, call, response };
  }

  const titleOf = async (id: string): Promise<unknown> =>
    (await database.sql(`select title, titled_by from conversations where id = '${id}'`))[0];

  /** Starts a turn and moves the time by 3 s; resolves once its stream has ended, which has no title. */
  async function outlastStream() {
    const clock = new ManualClock();
    const app = await startApp({}, clock);
    const { place, call, response } = await askForTitle(app);
    await clock.timer(3_000);
    await clock.pass(3_000);
    assert.match((await readResponse(response)).body, /"type":"turn-end"[^\n]*\n\n$/);
    return { clock, app, place, call };
  }

  test("is given up after 10 s, while its stream ended after 3 s", async () => {
    const { clock, app, place, call } = await outlastStream();
    await clock.pass(7_000);
    await call.closed;
    const line = await app.logged(({ msg }) => msg === "no title made by the model");
    assert.deepEqual([line["code"], line["conversationId"]], ["model_silent", place.conversationId]);
  });

  test("that is slow is not awaited by its stream for long, and comes all the same", async () => {
    const { app, place, call } = await outlastStream();
    const path = `/conversations?userId=${place.userId}`;
    assert.match((await app.get(path)).body, /"title":"Weather\?"/);
    call.text("Late title").finish();
    while (!(await app.get(path)).body.includes('"title":"Late title"'));
  });

  test("is awaited by a server that stops, as long as running turns are", async () => {
    const app = await startApp();
    const { place, call, response } = await askForTitle(app);
    const closing = app.close(30_000);
    call.text("Weather").finish();
    assert.match((await readResponse(response)).body, /"title":"Weather"/);
    await closing;
    assert.deepEqual(await titleOf(place.conversationId), { title: "Weather", titled_by: "model" });
    await app.start({}); // for the fixture to close
  });

  test("is given up by a server that stops at once", async () => {
    const app = await startApp();
    const { place, call, response } = await askForTitle(app);
    await app.close(0);
    await call.closed;
    assert.ok(!(await readResponse(response)).body.includes("event: title"));
    assert.deepEqual(await titleOf(place.conversationId), { title: "Weather?", titled_by: null });
    await app.start({}); // for the fixture to close
  });
});
