/** Real parts: the AI SDK's client and MCP's own example server, over two replicas and the death of one. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { makeFolder } from "../support/apps/start-app.ts";
import { Replica } from "../support/apps/replica.ts";
import { toVariables, useDatabase, useModel, useResource } from "../support/apps/use-app.ts";
import { ObservedChat } from "../support/clients/ui-chat.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { everythingOverStdio } from "../tools/use-tool-servers.ts";

const plan = "- Look\n---RESPONSE---\n";
const tools = [{ type: "function", function: { name: "locate", parameters: { type: "object" } } }];

describe("a useChat reply with real tools", { timeout: 240_000 }, () => {
  const model = useModel("test");
  const database = useDatabase(startPostgresHarness);
  const replicas: Replica[] = [];
  useResource(async (closing) => {
    const folder = await makeFolder();
    closing.defer(() => folder.remove());
    const file = join(folder.path, "mcp.json");
    const everything = { ...everythingOverStdio, tools: { echo: "read", "get-sum": "ask" } };
    await writeFile(file, JSON.stringify({ mcpServers: { everything } }));
    const variables = { ...toVariables(model, database), MCP_SERVERS_FILE: file };
    replicas.length = 0;
    for (let count = 0; count < 2; count += 1)
      replicas.push(closing.adopt(await Replica.start(variables), (replica) => replica.close()));
  }, "test");

  const at = (index: number, options: ConstructorParameters<typeof ObservedChat>[1]): ObservedChat =>
    new ObservedChat(replicas[index]?.url ?? "", { body: { tools }, runTool: () => "Oslo", ...options });

  test("goes on through the tools of both sides, an approval, and the death of its process", async () => {
    const userId = randomUUID();
    model.inOrder(
      (call) => call.text(`${plan}Where?`).toolCall("locate").finish("tool_calls"),
      (call) => call.text("Hello.").toolCall("everything__echo", { message: "Hi" }).finish("tool_calls"),
      (call) => call.text("And?").toolCall("everything__get-sum", { a: 40, b: 2 }).finish("tool_calls"),
      (call) => call.text("It is 42.").finish(),
    );
    const shown = at(0, { userId });
    await shown.chat.sendMessage({ text: "Hi" });
    await shown.until(() => shown.ends.length > 1 && shown.tools.length === 3);
    assert.equal(shown.chat.error, undefined);
    assert.deepEqual(
      shown.tools.map(({ state }) => state),
      ["output-available", "output-available", "approval-requested"],
    );
    replicas[0]?.kill("SIGKILL");
    await replicas[0]?.exit();
    const moved = at(1, { userId, id: shown.chat.id, messages: structuredClone(shown.chat.messages) });
    moved.answer(true);
    await moved.ended(1);
    assert.equal(moved.chat.error, undefined);
    assert.deepEqual([moved.last.id, moved.chat.messages.length], [shown.last.id, 2]);
    assert.match(JSON.stringify(moved.tools.map(({ output }) => output)), /Oslo.*Echo: Hi.*42/);
    assert.equal(moved.text, "Where?Hello.And?It is 42.");
    const rows = await database.sql(
      `select m.content, m.status, jsonb_array_length(m.metadata -> 'tools') as calls
        from messages m where m.role = 'assistant' and not m.metadata ? 'superseded_by'
        and m.user_id = '${userId}'`,
    );
    assert.deepEqual(rows, [
      { content: "Where?\n\nHello.\n\nAnd?\n\nIt is 42.", status: "complete", calls: 3 },
    ]);
    const sent = JSON.stringify(model.calls.at(-1)?.body.messages);
    for (const result of ["Oslo", "Echo: Hi", "The sum of 40 and 2 is 42"])
      assert.ok(sent.includes(result), result);
    model.say(`${plan}Welcome.`);
    await moved.chat.sendMessage({ text: "Thanks" });
    assert.deepEqual([moved.chat.error, moved.text], [undefined, "Welcome."]);
    assert.deepEqual(shown.asked, ["locate"]);
    assert.deepEqual(moved.asked, []);
  });
});
