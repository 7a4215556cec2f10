/** Runs of AG-UI's clients on two replicas with one Postgres: repeated, resumed, stopped, and killed. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { agentVersions, ObservedAgent, ObservedThread, toRun } from "../../support/clients/ag-ui.ts";
import { toStreamEvents } from "../../support/clients/stream-events.ts";
import { Replica } from "../../support/apps/replica.ts";
import { readResponse } from "../../support/apps/start-app.ts";
import { toVariables, useReplicas, useStartApp } from "../../support/apps/use-app.ts";

const plan = "- Look\n---RESPONSE---\n";

describe("a run of AG-UI's clients, with two replicas", { timeout: 240_000 }, () => {
  const { model, database, here, there } = useReplicas();
  const startApp = useStartApp(model, {}, { database });
  const userId = randomUUID();
  const path = `/ag-ui?userId=${userId}`;

  /** Starts a run here; returns its body, the model's end of it, and its response. */
  async function startRun(runId: string = randomUUID()) {
    const body = toRun(`thread ${randomUUID()}`, runId);
    const next = model.nextCall();
    const opening = here.open("POST", path, body);
    const call = await next;
    call.text(`${plan}He`);
    return { body, call, response: await opening };
  }

  test("is started once, however often it is sent, and each response is the same", async () => {
    const calls = model.calls.length;
    const { body, call, response } = await startRun("run-1-abc");
    const again = await Promise.all([here, there].map(async (app) => await app.open("POST", path, body)));
    call.text("llo.").finish();
    const responses = await Promise.all([response, ...again].map(readResponse));
    const later = [await here.post(path, body), await there.post(path, body)];
    const [first, ...others] = [...responses, ...later].map(({ status, body: text }) => {
      const events = toStreamEvents(text).filter(({ type }) => type !== "RUN_FINISHED");
      const deltas = events.map(({ delta }) => (typeof delta === "string" ? delta : "")).join("");
      return [status, events[0], deltas, events.at(-1)];
    });
    for (const other of others) assert.deepEqual(other, first);
    assert.equal(model.calls.length, calls + 1);
  });

  test("is resumed there after any event that was sent here, and by the GET of a run", async () => {
    const { body, call, response } = await startRun();
    call.text("llo.").finish();
    const whole = toStreamEvents((await readResponse(response)).body);
    for (const [index, { id = "" }] of whole.entries())
      for (const read of [
        async () => await there.post(path, body, { "last-event-id": id }),
        async () => await there.get(`${path}&offset=${encodeURIComponent(id)}&runId=${body.runId}`),
      ]) {
        const ids = toStreamEvents((await read()).body).map(({ id: restId = "" }) => restId);
        // A run that is joined begins with its empty message.
        const rest = ids.filter((restId) => !restId.startsWith("0+"));
        const missing = whole.slice(index + 1).map(({ id: wholeId }) => wholeId);
        // Pieces of text may be joined.
        assert.ok(rest.every((each) => missing.includes(each)));
        assert.equal(rest.at(-1), missing.at(-1));
      }
  });

  test("that is sent again with another body is refused, on any replica", async () => {
    const { body, call, response } = await startRun();
    call.finish();
    await readResponse(response);
    for (const app of [here, there]) {
      const { status, body: text } = await app.post(path, toRun(body.threadId, body.runId, "Other"));
      assert.deepEqual([status, JSON.parse(text).code], [409, "idempotency_mismatch"]);
    }
  });

  test("is stopped there by its run, its thread or its turn, and its client is told here", async () => {
    for (const toPath of [
      ({ runId }: { runId: string }) => `/ag-ui/stop?runId=${runId}&userId=${userId}`,
      ({ threadId }: { threadId: string }) => `/ag-ui/stop?threadId=${threadId}&userId=${userId}`,
      (_: object, turnId: unknown) => `/turns/${String(turnId)}/stop?userId=${userId}`,
    ]) {
      const { body, call, response } = await startRun();
      const stopped = await there.post(toPath(body, response.headers["x-turn-id"]), {});
      await call.closed;
      assert.deepEqual([stopped.status, JSON.parse(stopped.body).status], [200, "stopped"]);
      const events = toStreamEvents((await readResponse(response)).body);
      assert.deepEqual(
        events.slice(-2).map(({ type }) => type),
        ["TEXT_MESSAGE_END", "RUN_FINISHED"],
      );
    }
  });

  test("that is stopped ends as cancelled for version 1.0, and in words that 0.0.59 takes for the other", async () => {
    for (const version of agentVersions) {
      const agent = new ObservedAgent(version, { url: here.url, userId, threadId: randomUUID() });
      const next = model.nextCall();
      const asking = agent.ask("Hi");
      const call = await next;
      call.text(`${plan}He`);
      await there.post(`/ag-ui/stop?threadId=${agent.agent.threadId}&userId=${userId}`, {});
      await call.closed;
      await asking;
      assert.deepEqual([agent.errors, agent.shown.at(-1)], [[], ["assistant", "He"]]);
    }
  });

  test("goes on elsewhere for TanStack AI if its replica shuts down, and fails in good order for HttpAgent", async () => {
    const leaving = await startApp();
    const { body, call, response } = await startRun();
    let url = leaving.url;
    const shown = new ObservedThread({ url: () => url, userId, threadId: body.threadId, isStored: true });
    shown.chat.attach();
    await shown.until(() => shown.text === "He");
    const plain = await leaving.open("POST", path, body);
    url = there.url;
    const [{ body: text }] = await Promise.all([readResponse(plain), leaving.close()]);
    assert.deepEqual(
      toStreamEvents(text)
        .slice(-2)
        .map(({ type, code }) => [type, code]),
      [
        ["TEXT_MESSAGE_END", undefined],
        ["RUN_ERROR", "server_stopping"],
      ],
    );
    call.text("llo.").finish();
    await readResponse(response);
    await shown.until(() => shown.text === "Hello." && shown.chat.getStatus() === "ready");
    assert.deepEqual(shown.errors, []);
  });

  test("goes on elsewhere for TanStack AI if the replica that it reads from is killed", async (context) => {
    const killed = await Replica.start({ ...toVariables(model, database), LOG_LEVEL: "silent" });
    context.after(() => killed.close());
    const { body, call, response } = await startRun();
    let { url } = killed;
    const shown = new ObservedThread({ url: () => url, userId, threadId: body.threadId, isStored: true });
    shown.chat.attach();
    await shown.until(() => shown.text === "He");
    url = there.url;
    killed.kill("SIGKILL");
    call.text("llo.").finish();
    await readResponse(response);
    await shown.until(() => shown.text === "Hello." && shown.chat.getStatus() === "ready");
    assert.deepEqual([shown.errors, shown.messages.length], [[], 2]);
  });

  test("whose own replica is killed ends as interrupted, elsewhere, with the text so far", async (context) => {
    const killed = await Replica.start({ ...toVariables(model, database), LOG_LEVEL: "silent" });
    context.after(() => killed.close());
    let { url } = killed;
    const threadId = randomUUID();
    const shown = new ObservedThread({ url: () => url, userId, threadId });
    const next = model.nextCall();
    const sending = shown.chat.sendMessage("Hi");
    const call = await next;
    call.text(`${plan}He`);
    await shown.until(() => shown.text === "He");
    url = there.url;
    killed.kill("SIGKILL");
    await killed.restart(); // otherwise others wait for 30 s before they end its turns
    await sending;
    assert.deepEqual(shown.errors, ["The server stopped before the reply was complete."]);
    assert.equal(shown.text, "He");
    assert.ok(shown.requests.length > 1);
  });
});
