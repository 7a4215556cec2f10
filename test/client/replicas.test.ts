/** The client continues at another replica, and at a server that was killed and is back. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { createClient } from "../../packages/foreword-client/src/client.ts";
import { RunningCommand } from "../command/run-command.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { findFreePort } from "../support/network/local-port.ts";
import { makeFolder } from "../support/apps/start-app.ts";
import { toVariables, useDatabase, useModel, useStartApp } from "../support/apps/use-app.ts";

const hello = { messages: [{ sender: "user", text: "Hello" }] } as const;

describe("a client of servers that stop", { timeout: 120_000 }, () => {
  const model = useModel();
  const harness = useDatabase(startPostgresHarness);
  const startApp = useStartApp(model, {}, { database: harness });

  test("continues a turn at its owner when the replica that it follows stops, and yields no end too early", async () => {
    const [owner, shower] = [await startApp(), await startApp()];
    let { url } = owner;
    const client = createClient({
      baseUrl: "http://foreword.test",
      userId: randomUUID(),
      retry: { firstDelayMs: 1 },
      fetch: (input, init) => {
        assert.ok(typeof input === "string");
        return fetch(input.replace("http://foreword.test", url), init);
      },
    });
    const next = model.nextCall();
    const started = client.start(hello);
    const call = await next;
    call.text("- a\n---RESPONSE---\nOne, ");
    for await (const event of started) if (event.type === "plan-end") break;
    ({ url } = shower);
    const turn = client.resume(started.id);
    const types: string[] = [];
    let text = "";
    for await (const event of turn) {
      types.push(event.type);
      if (event.type !== "answer-delta") continue;
      text += event.text;
      if (text !== "One, ") continue;
      ({ url } = owner);
      await shower.close();
      call.text("two.").finish();
    }
    assert.equal(text, "One, two.");
    assert.deepEqual(
      [types.filter((type) => type === "turn-start").length, types.filter((type) => type.endsWith("-error"))],
      [1, []],
    );
    assert.deepEqual([types.at(-1), (await turn.reply()).outcome], ["turn-end", "complete"]);
  });

  test("waits for a killed server: the turn ends as interrupted, with the text so far", async (context) => {
    const folder = await makeFolder();
    const port = await findFreePort();
    const start = async (): Promise<RunningCommand> => {
      const more = { PORT: String(port), DATA_DIR: folder.path };
      const command = new RunningCommand(["serve"], { ...toVariables(model, harness), ...more }, folder.path);
      context.after(() => command.kill("SIGKILL"));
      await command.printed(/listening/);
      return command;
    };
    const first = await start();
    const client = createClient({
      baseUrl: `http://127.0.0.1:${port}`,
      userId: randomUUID(),
      retry: { firstDelayMs: 50, maxDelayMs: 200, maxRetries: 300 },
    });
    const next = model.nextCall();
    const turn = client.start(hello);
    (await next).text("- a\n---RESPONSE---\nSo far");
    let second: RunningCommand | undefined;
    for await (const event of turn) {
      if (event.type !== "answer-delta") continue;
      first.kill("SIGKILL");
      await first.exit();
      second = await start();
    }
    const { outcome, plan, answer, error } = await turn.reply();
    assert.deepEqual([outcome, plan, answer, error?.code], ["interrupted", "- a", "So far", "interrupted"]);
    second?.kill("SIGTERM");
    await second?.exit();
    await folder.remove();
  });
});
