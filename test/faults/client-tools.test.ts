/** Tools of the client over two replicas, through the death of one, and without the database. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { toEventData } from "../support/clients/openai-wire.ts";
import { startPostgresHarness, type StoreHarness } from "../support/databases/store-harness.ts";
import { startPostgresSite, untilReplayed } from "./database-bench.ts";
import { Replica } from "../support/apps/replica.ts";
import { toVariables, useApp, useDatabase, useModel, useResource } from "../support/apps/use-app.ts";
import { toChunk, type ScriptedCall } from "../support/model/scripted-model.ts";

const path = "/v1/chat/completions";
const tools = [{ type: "function", function: { name: "get_time" } }];
const hello = { role: "user", content: "Hi" };
const call = { id: "call_0", type: "function", function: { name: "get_time", arguments: '{"city":"Lima"}' } };
const result = { role: "tool", tool_call_id: "call_0", content: "07:15" };
const asked = { role: "assistant", content: "Let me see.", tool_calls: [call] };

const Completion = z.object({
  choices: z.tuple([
    z.object({
      message: z.object({ content: z.string().nullable(), tool_calls: z.unknown().optional() }),
      finish_reason: z.string(),
    }),
  ]),
});

/** The rows of a reply that asked for the time and went on with the result. */
const oneReply = [
  ["user", "Hi", null, [], false],
  ["assistant", "Let me see.", "complete", [], true],
  ["assistant", "Let me see.\n\nIt is 07:15.", "complete", ["07:15"], false],
];

/** Returns the messages of `user`, oldest first: role, content, state, results, whether superseded. */
async function readRows(database: Pick<StoreHarness, "sql">, user: string): Promise<readonly unknown[][]> {
  const rows = await database.sql(
    `select m.role, m.content, m.status,
      jsonb_path_query_array(m.metadata, '$.tools[*].outcome.output') as outputs,
      m.metadata ? 'superseded_by' as is_superseded
      from messages m join conversations c on c.id = m.conversation_id
      where c.user_id = '${user}' order by m.created_at, m.id`,
  );
  return rows.map((row) => Object.values(row));
}

function askForTime(started: ScriptedCall): void {
  started.text("Let me see.").toolCall("get_time", { city: "Lima" }).finish("tool_calls");
}

describe("tools of the client", { timeout: 180_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  let a: Replica;
  let b: Replica;
  useResource(async (closing) => {
    const variables = toVariables(model, database);
    const start = async (): Promise<Replica> =>
      closing.adopt(await Replica.start(variables), (started) => started.close());
    [a, b] = [await start(), await start()];
  });

  /** Resolves with the reply to `messages`. */
  async function complete(
    replica: Replica,
    user: string,
    messages: readonly object[],
    headers: Record<string, string> = {},
  ) {
    const body = { model: "scripted", user, tools, messages };
    const { choices } = await replica.send("POST", path, body, headers).json(Completion);
    return choices[0];
  }

  test("go on with any replica, and are one reply", async () => {
    const user = randomUUID();
    model.script = askForTime;
    const first = await complete(a, user, [hello]);
    assert.deepEqual([first.message.tool_calls, first.finish_reason], [[call], "tool_calls"]);
    model.say("It is 07:15.");
    const second = await complete(b, user, [hello, asked, result]);
    assert.deepEqual([second.message.content, second.finish_reason], ["It is 07:15.", "stop"]);
    assert.deepEqual(await readRows(database, user), oneReply);
    model.say("And on.");
    await complete(a, user, [hello, asked, result, { role: "assistant", content: "It is 07:15." }, hello]);
    assert.equal((await readRows(database, user)).length, 5);
  });

  test("end in no call if the process dies in the middle of one, and the same request gets it elsewhere", async () => {
    const user = randomUUID();
    const headers = { "x-conversation-id": randomUUID() };
    const next = model.nextCall();
    const body = { model: "scripted", user, tools, messages: [hello], stream: true };
    const reading = a.send("POST", path, body, headers);
    const started = await next;
    const piece = {
      index: 0,
      id: "call_0",
      type: "function",
      function: { name: "get_time", arguments: '{"ci' },
    };
    started.text("Let me see.").event(toChunk({ tool_calls: [piece] }));
    while (!reading.bytes.includes('{\\"ci')) await reading.received(reading.bytes.length + 1);
    a.kill("SIGKILL");
    await reading.closed;
    assert.equal(reading.isComplete, false);
    assert.doesNotMatch(reading.bytes.toString(), /"finish_reason":"|\[DONE\]/);
    model.script = askForTime;
    const again = await complete(b, user, [hello], headers);
    assert.deepEqual([again.message.tool_calls, again.finish_reason], [[call], "tool_calls"]);
    await a.restart();
    model.say("It is 07:15.");
    const second = await complete(a, user, [hello, asked, result], headers);
    assert.equal(second.message.content, "It is 07:15.");
    const rows = await readRows(database, user);
    assert.deepEqual(rows.at(-1), oneReply.at(-1));
    assert.deepEqual(new Set(rows.map(([role]) => role)), new Set(["user", "assistant"]));
    assert.equal(rows.filter(([role]) => role === "user").length, 1);
  });

  test("are the same in a replay with a key on the other replica", async () => {
    model.script = askForTime;
    const headers = { "idempotency-key": randomUUID() };
    const body = { model: "scripted", user: randomUUID(), tools, messages: [hello], stream: true };
    const told = (await a.send("POST", path, body, headers).whole()).toString();
    const replayed = b.send("POST", path, body, headers);
    const again = (await replayed.whole()).toString();
    assert.equal(replayed.headers["idempotency-replayed"], "true");
    assert.deepEqual(toReply(again), toReply(told));
    assert.deepEqual(toReply(told), {
      content: "Let me see.",
      name: "get_time",
      text: '{"city":"Lima"}',
      finish: "tool_calls",
    });
  });
});

describe("tools of the client while the database is away", { timeout: 180_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresSite);
  const app = useApp(model, {}, { database });

  test("work, and their one reply is stored once it is back", async () => {
    const user = randomUUID();
    const complete = async (...messages: object[]) => {
      const { status, body } = await app.post(path, { model: "scripted", user, tools, messages });
      assert.equal(status, 200);
      return Completion.parse(JSON.parse(body)).choices[0];
    };
    const { proxy } = database.harness;
    proxy.refuse();
    model.script = askForTime;
    assert.deepEqual((await complete(hello)).message.tool_calls, [call]);
    model.say("It is 07:15.");
    assert.equal((await complete(hello, asked, result)).message.content, "It is 07:15.");
    proxy.pass();
    await untilReplayed(app);
    assert.deepEqual(await readRows(database, user), oneReply);
  });
});

const Chunk = z.object({
  choices: z.array(
    z.object({
      delta: z.object({
        content: z.string().optional(),
        tool_calls: z
          .array(z.object({ function: z.object({ name: z.string().optional(), arguments: z.string() }) }))
          .optional(),
      }),
      finish_reason: z.string().nullable(),
    }),
  ),
});

/** Returns a streamed reply in all. */
function toReply(body: string): object {
  let [content, name, text, finish] = ["", "", "", ""];
  for (const data of toEventData(body).filter((each) => each !== "[DONE]"))
    for (const { delta, finish_reason: reason } of Chunk.parse(JSON.parse(data)).choices) {
      content += delta.content ?? "";
      for (const { function: piece } of delta.tool_calls ?? []) {
        name += piece.name ?? "";
        text += piece.arguments;
      }
      finish += reason ?? "";
    }
  return { content, name, text, finish };
}
