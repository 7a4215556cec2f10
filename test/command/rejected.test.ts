/** An operator's view of a permanently rejected write, and the way to fix it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { useDatabase } from "../support/apps/use-app.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { useCommands, useSuiteFolder } from "./run-command.ts";

describe("a permanently rejected write", { timeout: 60_000 }, () => {
  const harness = useDatabase(startPostgresHarness);
  const folder = useSuiteFolder();
  const startCommand = useCommands();
  test("is reported by the log and doctor with its cause, and stored at the start after the cause is fixed", async () => {
    await harness.sql("alter table messages add constraint no_swearing check (content <> 'Damn')");
    const variables = { ...harness.variables, PORT: "0", DEMO_MODE: "true" };
    let server = startCommand([], variables, folder.path);
    const [, address = ""] = await server.printed(/listening +(http:\S+)\n[^]*try .*\n/);
    const answer = await fetch(`${address}/stream-chat`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ sender: "user", text: "Damn" }] }),
    });
    assert.match(await answer.text(), /\n---RESPONSE---\n/);
    const turnId = answer.headers.get("x-turn-id") ?? "";
    const doctor = startCommand(["doctor"], variables, folder.path);
    assert.equal(await doctor.exit(), 1);
    assert.match(doctor.stdout, /^ok +journal +no writes are queued in \.foreword/m);
    assert.match(
      doctor.stdout,
      new RegExp(
        `^WRONG journal +the begin of turn ${turnId} in conversation .* was permanently rejected: 23514: .*no_swearing.*\\n +→ .*\`foreword journal retry\``,
        "m",
      ),
    );
    server.kill("SIGTERM");
    assert.equal(await server.exit(), 0);
    assert.match(
      server.stdout,
      new RegExp(`"turnId":"${turnId}".*"code":"write_rejected".*"write permanently rejected`),
    );
    await harness.sql("alter table messages drop constraint no_swearing");
    server = startCommand([], variables, folder.path);
    await server.printed(/listening/);
    const countMessages = async (): Promise<unknown> => {
      const [row] = await harness.sql("select count(*)::int as count from messages");
      return row?.["count"];
    };
    while ((await countMessages()) !== 2);
    server.kill("SIGTERM");
    assert.equal(await server.exit(), 0);
  });
});
