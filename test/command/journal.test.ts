/** `foreword journal`: an operator sees, retries and saves writes, beside a running server or without one. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Journal } from "../../src/store/journal/journal.ts";
import { openTurn, readResponse } from "../support/apps/start-app.ts";
import { useApp, useDatabase, useFolder, useModel } from "../support/apps/use-app.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { useCommands } from "./run-command.ts";

const forbid = "alter table messages add constraint no_swearing check (content <> 'Damn')";
const allow = "alter table messages drop constraint no_swearing";

describe("foreword journal", { timeout: 60_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  const folder = useFolder();
  const app = useApp(model, () => ({ DATA_DIR: folder() }), { database });
  const startCommand = useCommands();

  /** Runs it with `args`; resolves with its exit code and output. */
  async function run(args: readonly string[], dataDir = folder()): Promise<[code: unknown, output: string]> {
    const variables = { ...database.variables, DATA_DIR: dataDir };
    const command = startCommand(["journal", ...args], variables, folder());
    const code = await command.exit();
    return [code, command.stdout + command.stderr];
  }

  test("retry has the running server store what it had rejected, once its cause is gone, and the rest of a running turn", async () => {
    await database.sql(forbid);
    const userId = randomUUID();
    const messages = [{ sender: "user", text: "Damn" }];
    const { call, opening } = await openTurn(app, model, { messages, userId });
    call.text("- p\n---RESPONSE---\nWell");
    const response = await opening;
    const turnId = String(response.headers["x-turn-id"]);
    await app.logged(({ msg, turnId: id }) => id === turnId && msg.startsWith("write permanently rejected"));

    const place = join(folder(), "journal");
    const [listed, shown] = await run([]);
    assert.equal(listed, 0);
    assert.match(
      shown,
      new RegExp(
        `^process ${process.pid} on \\S+ since \\S+Z: 1 write rejected; 0\\.\\d MiB in ${place}/\\S+\\n` +
          `  the begin of turn ${turnId} in conversation \\S+, of user ${userId}, of \\S+Z: 23514: .*no_swearing.*\\n$`,
      ),
    );
    const [refused, again] = await run(["retry"]);
    assert.deepEqual(
      [refused, again.replace(/23514.*/, "…")],
      [1, "1 write rejected again:\n  …\n"],
      "the cause is not gone",
    );
    await database.sql(allow);
    assert.deepEqual(await run(["retry"]), [0, "1 write stored\n"]);
    call.text(" done.").finish();
    assert.match((await readResponse(response)).body, /Well done\.$/);
    await app.logged(({ msg, turnId: id }) => id === turnId && msg === "turn");
    const [row] = await database.sql(`select status, answer from turns where id = '${turnId}'`);
    assert.deepEqual(row, { status: "complete", answer: "Well done." });
    assert.deepEqual(await run(["retry"]), [0, "No write is rejected.\n"]);
    assert.match((await run([]))[1], /: nothing waits; /);
  });

  test("retry has the next server try what processes had left that have ended; save keeps all writes in a file", async () => {
    const dataDir = join(folder(), "ended");
    const journals = [await Journal.open(dataDir, 1_000_000), await Journal.open(dataDir, 1_000_000)];
    const turnIds: string[] = [];
    for (const journal of journals) {
      const ids = { turnId: randomUUID(), conversationId: randomUUID(), userId: undefined };
      const { id } = await journal.append({ kind: "begin", ...ids, toArgument: () => '{"path":["Hi"]}' });
      await journal.quarantine(id, "23514: no\u001b[2J");
      turnIds.push(ids.turnId);
      await journal.close();
    }
    const saved = join(folder(), "saved.ndjson");
    const words = `2 writes saved to ${saved}; the journal keeps them.\n`;
    assert.deepEqual(await run(["save", saved], dataDir), [0, words]);
    assert.equal((await stat(saved)).mode & 0o777, 0o600, "for this user alone");
    const lines = (await readFile(saved, "utf8")).trimEnd().split("\n");
    const writes = lines.map((line): Record<string, unknown> => JSON.parse(line));
    assert.deepEqual(new Set(writes.map(({ turnId }) => turnId)), new Set(turnIds));
    for (const { reason, argument } of writes)
      assert.deepEqual([reason, argument], ["23514: no\u001b[2J", { path: ["Hi"] }]);
    assert.match((await run([], dataDir))[1], /: 23514: no\ufffd\[2J\n/, "a terminal obeys no reason");
    assert.deepEqual(await run(["save", saved], dataDir), [
      1,
      `foreword journal: ${saved} exists already: name another file.\n`,
    ]);

    const left = "2 writes of ended processes, for the next server with this DATA_DIR to try\n";
    assert.deepEqual(await run(["retry"], dataDir), [0, left]);
    const next = await Journal.open(dataDir, 1_000_000);
    assert.deepEqual([next.queue.size, next.quarantinedCount], [2, 0]);
    await next.close();
  });

  test("tells how it is used, and that there is no journal", async () => {
    const [code, words] = await run(["save"]);
    assert.equal(code, 2);
    assert.match(words, /journal is used alone, or as `journal retry` or `journal save FILE`/);
    const none = join(folder(), "none");
    assert.deepEqual(await run([], none), [0, `There is no journal in ${none}.\n`]);
    const off = startCommand(["journal"], { CHAT_STORE_ENABLED: "false" }, folder());
    assert.deepEqual([await off.exit(), off.stderr], [1, "There is no journal with these settings.\n"]);
  });
});
