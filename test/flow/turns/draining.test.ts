/** A server that shuts down while it follows other processes' turns, or with a frozen database. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { readMessages } from "../../support/databases/read-rows.ts";
import { openTurn, readResponse } from "../../support/apps/start-app.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { useModel, useDatabase, useStartApp, makeTestFolder } from "../../support/apps/use-app.ts";
import { Stopwatch } from "../../support/process/stopwatch.ts";

describe("a server that shuts down", { timeout: 60_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  const startApp = useStartApp(model, {}, { database });

  test("tells the followers of another process's turn, and they get the rest of it there", async () => {
    const [owner, other] = [await startApp(), await startApp()];
    const userId = randomUUID();
    const { call, opening } = await openTurn(owner, model, { userId });
    call.text("- a\n---RESPONSE---\nHalf");
    const first = await opening;
    const path = `/turns/${String(first.headers["x-turn-id"])}/stream?userId=${userId}`;
    const following = await other.open("GET", path);
    const reading = readResponse(following);
    const typed = readResponse(await other.open("GET", path, undefined, { accept: "text/event-stream" }));
    await other.close();
    // A typed wire has no event for this, and must not say that the turn has ended: its connection is cut.
    const cut = await typed;
    assert.ok(!cut.isComplete && cut.body.includes("turn-start"));
    assert.doesNotMatch(cut.body, /turn-end|turn-error|\.end/);
    const { body, isComplete } = await reading;
    assert.equal(isComplete, false);
    const [seen = ""] = body.split("\n[error] server_stopping: ");
    assert.ok("- a\n---RESPONSE---\nHalf".startsWith(seen) && seen !== body, body);
    call.text(", whole.").finish();
    const rest = await owner.get(`${path}&after=${Buffer.byteLength(seen)}`);
    assert.equal(seen + rest.body, "- a\n---RESPONSE---\nHalf, whole.");
    assert.ok(rest.isComplete);
    await readResponse(first);
  });

  test("exits within a few seconds even if its database is frozen; the reply is stored after the next start", async (context) => {
    const variables = { DATA_DIR: await makeTestFolder(context) };
    const app = await startApp(variables);
    const [userId, conversationId] = [randomUUID(), randomUUID()];
    const { call, opening } = await openTurn(app, model, { userId, conversationId });
    call.text("- a\n---RESPONSE---\nHalf");
    const reading = readResponse(await opening);
    database.harness.server.freeze();
    const watch = new Stopwatch();
    await app.close(0);
    const { ownMs, clockMs } = watch;
    context.diagnostic(`figure: stop with a frozen store ${Math.round(clockMs)} ms`);
    assert.ok(ownMs < 4_000, `${ownMs} ms`);
    assert.match((await reading).body, /Half\n\[error\] interrupted: /);
    database.harness.server.thaw();
    const again = await startApp(variables);
    await again.logged(({ msg }) => msg === "queued write stored");
    const rows = await readMessages(again.app.store.database, conversationId, userId);
    assert.deepEqual(
      rows.map(({ content, status }) => [content, status]),
      [
        ["Hi", null],
        ["Half", "interrupted"],
      ],
    );
  });
});
