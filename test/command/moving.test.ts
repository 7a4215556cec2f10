/** `foreword export` and `import`: every row of one database in another, of whatever kind. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Client } from "pg";
import { z } from "zod";
import { systemClock } from "../../src/base/clock.ts";
import { ControlClient, ControlError } from "../../src/command/control/control-client.ts";
import { service } from "../../src/store/database/database.ts";
import { Journal } from "../../src/store/journal/journal.ts";
import { exportRows } from "../../src/store/moving/export-rows.ts";
import { movedTables } from "../../src/store/moving/moved-tables.ts";
import { openEmbeddedRows, openPostgresRows } from "../../src/store/moving/row-session.ts";
import { loadSchema } from "../../src/store/schema/schema.ts";
import { TurnReads } from "../../src/store/turns/turn-reads.ts";
import { TurnWrites } from "../../src/store/turns/turn-writes.ts";
import { typed, useTools } from "../flow/tools/use-tools.ts";
import { supabaseBasics } from "../store/scratch-database.ts";
import { chatFor, keyedVariables } from "../support/apps/keyed-server.ts";
import { startApp, type RunningApp } from "../support/apps/start-app.ts";
import { toVariables, useModel, useResource } from "../support/apps/use-app.ts";
import { makePng, readFile as readStored, toImageMessage } from "../support/clients/file-client.ts";
import { HistoryClient } from "../support/clients/history-client.ts";
import { KnowledgeClient } from "../support/clients/knowledge-client.ts";
import { beginTurn, makeTurn } from "../support/databases/make-turn.ts";
import { startPostgres, type PostgresServer } from "../support/databases/postgres-server.ts";
import { openDatabase, runSql, startPglite, type StoreHarness } from "../support/databases/store-harness.ts";
import { startLongTurn, type LongTurn } from "./long-turn.ts";
import { hashRows, leftOut, oldRows, toQuery, withDigest, type Digests, type Query } from "./moved-rows.ts";
import { findMoment, recordingSql } from "./recorded-rows.ts";
import { useCommands, useSuiteFolder } from "./run-command.ts";

const tables = { conversations: "conversations", messages: "messages", turns: "turns" };
const main = `"${process.execPath}" "${join(import.meta.dirname, "../../src/main.ts")}"`;
const Listed = z.object({ conversations: z.array(z.object({ id: z.string() })) });
describe("foreword export, import and backup", { timeout: 240_000 }, () => {
  const model = useModel();
  const tools = useTools("suite");
  const folder = useSuiteFolder();
  const startCommand = useCommands();
  const userId = randomUUID();
  const image = makePng("moved", 300_000);
  let source: StoreHarness;
  let server: PostgresServer;
  let schema = "";
  /** The rows of the source, which all databases are to have. */
  let expected: Digests = [];
  useResource(async (closing) => {
    source = closing.adopt(await startPglite(), (harness) => harness.stop());
    server = closing.adopt(await startPostgres(), (started) => started.stop());
    schema = await loadSchema(tables);
    await fillBySettings();
    await fillByKey();
    await source.sql(...oldRows);
    expected = await hashRows((...statements) => source.sql(...statements));
  });

  async function start(
    variables: Readonly<Record<string, string>>,
    database = source.variables,
  ): Promise<RunningApp> {
    return await startApp(toVariables(model, { variables: database }, variables));
  }

  /** Writes rows of every kind, through the routes. */
  async function fillBySettings(): Promise<void> {
    const app = await start(tools.variables);
    await app.app.tools?.ready(60_000);
    const history = new HistoryClient(app);
    const say = async (more: object): Promise<string> => {
      const reply = await app.chat("Hello \u2028 \u{1f994}", { userId, ...more });
      assert.deepEqual([reply.status, reply.isComplete], [200, true], reply.body);
      return String(reply.headers["x-conversation-id"]);
    };
    const conversationId = await say({ messages: [toImageMessage("See the lighthouse", image)] });
    for (let turn = 0; turn < 3; turn += 1) await say({ conversationId, parentId: "leaf" });
    await history.send("DELETE", `/conversations/${await say({})}`, userId);
    model.inOrder(
      (call) => call.text("- p\n---RESPONSE---\n").toolCall("w__look", {}, "c1").finish("tool_calls"),
      (call) => call.text("Done.").finish(),
      (call) => call.text("- p\n---RESPONSE---\n").toolCall("w__act", {}, "c2").finish("tool_calls"),
    );
    await say({});
    const waiting = { messages: [{ sender: "user", text: "Act" }], userId };
    assert.match((await app.post("/stream-chat", waiting, typed)).body, /event: turn-waiting/);
    const response = await app.post("/v1/responses", { model: "scripted", input: "Hi" });
    const { id } = z.object({ id: z.string() }).parse(JSON.parse(response.body));
    assert.equal((await app.get(`/v1/responses/${id}`, {}, "DELETE")).status, 200);
    await new KnowledgeClient(app, userId).addRead("handbook", "Pack the books first.\n\nThen the lamp.");
    const { messages } = await history.read(userId, conversationId);
    const summary = { message_id: messages[0]?.id, text: "A picture.", model: "scripted" };
    await app.app.store.database?.call("chat_save_summary", summary, service);
    await app.close();
  }

  /** A turn that counts in the budget of a key. */
  async function fillByKey(): Promise<void> {
    const prices = { MODEL_PRICES: '{"scripted":{"input":1,"output":1}}', LIMIT_KEY_COST_PER_DAY: "10" };
    const app = await start({ ...keyedVariables, ...prices });
    assert.equal((await chatFor(randomUUID(), app)).status, 200);
    await app.close();
  }

  /** A new database of the Postgres server, with the schema. */
  async function create(
    name: string,
  ): Promise<{ url: string; variables: Record<string, string>; query: Query }> {
    const url = await server.createDatabase(name);
    await runSql(url, [schema]);
    return { url, variables: { DATABASE_URL: url }, query: (...statements) => runSql(url, statements) };
  }

  async function run(args: string[], variables: Readonly<Record<string, string>>, code = 0): Promise<string> {
    const command = startCommand(args, variables, folder.path);
    assert.equal(await command.exit(), code, command.stderr);
    assert.equal(command.stdout, "");
    return command.stderr;
  }

  /** A Supabase project's database, whose tables belong to a role that is no superuser. */
  async function createSupabase(): Promise<{ url: string; query: Query }> {
    const url = new URL(await server.createDatabase("supabase"));
    await runSql(url.href, [supabaseBasics, "create role mover login password 'mover'"]);
    await runSql(url.href, ["grant authenticated to mover", "alter database supabase owner to mover"]);
    const query: Query = (...statements) => runSql(url.href, statements);
    url.username = url.password = "mover";
    const owner = url.href;
    await runSql(owner, [schema]);
    return { url: owner, query };
  }

  test("move every row of an embedded database to Postgres, from there to Supabase by a pipe, and back", async () => {
    assert.equal(expected.length, movedTables.length);
    assert.deepEqual(
      expected.filter(({ count }) => count === 0),
      [],
      "every kind of row is there",
    );
    const said = await run(["export", "all.ndjson"], source.variables);
    assert.match(said, /^conversations: \d+ rows$/m);
    assert.match(said, /^Exported \d+ rows to all\.ndjson\.\n$/m);
    const postgres = await create("moved");
    const told = await run(["import", "all.ndjson"], postgres.variables);
    assert.match(told, /^Added the column tags \(character varying\[\]\) to conversations: /m);
    assert.match(told, /^Imported (\d+) rows, \1 of them new\. All counts agree\.$/m);
    assert.deepEqual(await hashRows(postgres.query), expected);

    const supabase = await createSupabase();
    const pipe = startCommand(
      [],
      { FROM: String(postgres.variables["DATABASE_URL"]), TO: supabase.url },
      folder.path,
      ["sh", "-c", `DATABASE_URL=$FROM ${main} export - | DATABASE_URL=$TO ${main} import -`],
    );
    assert.equal(await pipe.exit(), 0, pipe.stderr);
    assert.deepEqual(await hashRows(supabase.query), expected);

    await run(["export", "back.ndjson"], { DATABASE_URL: supabase.url });
    const back = { DATA_DIR: join(folder.path, "back") };
    await run(["import", "back.ndjson"], back);
    const rows = await openEmbeddedRows(back.DATA_DIR, { tables, hasVectors: false });
    await rows.query("begin");
    assert.deepEqual(await hashRows(toQuery(rows)), expected);
    await rows.close();
    await serve(back);
    const again = await run(["import", "back.ndjson"], back);
    assert.match(again, /^Imported \d+ rows, 0 of them new\. All counts agree\.$/m);
  });

  /** A server works with the rows: shows them, finds their words, and adds to them. */
  async function serve(variables: Readonly<Record<string, string>>): Promise<void> {
    const app = await start({}, variables);
    const history = new HistoryClient(app);
    const { database } = app.app.store;
    assert.ok(database !== undefined);
    const find = async () => await history.list(userId, "query=lighthouse");
    let found = await find();
    while (found.conversations.length === 0) found = await find();
    const conversationId = found.conversations[0]?.id ?? assert.fail();
    const { messages } = await history.read(userId, conversationId);
    const { url } = messages.flatMap(({ attachments }) => attachments)[0] ?? assert.fail();
    assert.ok((await readStored(app, `${url}?userId=${userId}`)).bytes.equals(image.bytes));
    const reply = await app.chat("And now?", { userId, conversationId, parentId: "leaf" });
    assert.equal(reply.headers["x-conversation-id"], conversationId);
    await app.close();
  }

  test("go on after an interruption, and tell a file that was cut off or changed", async () => {
    const text = await readFile(join(folder.path, "all.ndjson"), "utf8");
    const lines = text.trimEnd().split("\n");
    const { variables, query } = await create("resumed");
    const importText = async (content: string | Buffer, code: number, to = variables): Promise<string> => {
      await writeFile(join(folder.path, "other.ndjson"), content);
      return await run(["import", "other.ndjson"], to, code);
    };
    const half = text.slice(0, text.indexOf('{"table":"turns"') + 40);
    assert.match(await importText(half, 1), /ends in the middle of a row/);
    assert.match(
      await importText(gzipSync(half).subarray(0, -9), 1),
      /other\.ndjson was cut off, or is damaged/,
    );
    const counts = await query(
      "select (select count(*)::int from messages) as messages, (select count(*)::int from turns) as turns",
    );
    assert.deepEqual(counts, [
      { messages: expected.find(({ name }) => name === "messages")?.count, turns: 0 },
    ]);
    assert.match(await importText(lines.slice(0, -2).join("\n"), 1), /lacks its last line: it was cut off/);
    assert.match(await importText(text + text, 1), /goes on after its last line/);
    assert.match(
      await importText(withDigest(`${lines.slice(0, -2).join("\n")}\n`), 1),
      /The file has 0 of the 1 rows of deleted_turns: export again/,
    );
    assert.match(await importText(text, 0), /^messages: \d+ rows, 0 of them new$/m);
    await writeFile(join(folder.path, "all.ndjson.gz"), gzipSync(text));
    const input = startCommand([], variables, folder.path, ["sh", "-c", `${main} import - < all.ndjson.gz`]);
    assert.equal(await input.exit(), 0, input.stderr);
    assert.deepEqual(await hashRows(query), expected);

    const changed = await create("changed");
    assert.match(
      await importText(text.replace('"title":"Old"', '"title":"Odd"'), 1, changed.variables),
      /changed since it was exported, or is damaged: .* empty database: rows of this one are wrong\.\n$/,
    );
  });

  test("stop at Ctrl-C: an export leaves no file, and an import goes on when it is run again", async () => {
    const from = await create("export_stopped");
    const to = await create("import_stopped");
    for (const [command, file, { url, variables }, advice] of [
      ["export", "stopped.ndjson", from, "Nothing was written."],
      ["import", "all.ndjson", to, "Run the same command again to go on."],
    ] as const) {
      const client = new Client({ connectionString: url });
      await client.connect();
      await client.query("begin; lock table turns in access exclusive mode");
      const stopped = startCommand([command, file], variables, folder.path);
      const waiting = "select from pg_locks where not granted and relation = 'turns'::regclass";
      while ((await client.query(waiting)).rowCount === 0);
      stopped.kill("SIGINT");
      await stopped.printed(/Stopping …\n/);
      await client.query("rollback");
      await client.end();
      assert.equal(await stopped.exit(), 130, stopped.stderr);
      assert.ok(stopped.stderr.endsWith(`Stopping …\nStopped. ${advice}\n`), stopped.stderr);
    }
    assert.deepEqual(
      (await readdir(folder.path)).filter((name) => name.startsWith("stopped")),
      [],
    );
    const silent = ["sh", "-c", `mkfifo silent; exec 3<>silent; exec ${main} import - <&3`];
    const waiting = startCommand([], to.variables, folder.path, silent);
    // Once it catches SIGHUP, too, it waits for its input.
    const isReady = async (): Promise<boolean> =>
      /^SigCgt:\s*\S*[13579bdf]$/m.test(await readFile(`/proc/${waiting.pid}/status`, "utf8"));
    while (!(await isReady()));
    waiting.kill("SIGTERM");
    assert.equal(await waiting.exit(), 130, waiting.stderr);
    const unread = ["sh", "-c", `exec 3<>silent; exec ${main} export - >&3`];
    const stalled = startCommand([], source.variables, folder.path, unread);
    execFileSync("head", ["-c", "1", join(folder.path, "silent")]);
    stalled.kill("SIGTERM");
    assert.equal(await stalled.exit(), 130, stalled.stderr);
    assert.ok(stalled.stderr.endsWith("Stopped. What was written is not whole.\n"), stalled.stderr);
    const [{ messages } = {}] = await to.query("select count(*)::int as messages from messages");
    assert.equal(messages, expected.find(({ name }) => name === "messages")?.count);
    await run(["import", "all.ndjson"], to.variables);
    assert.deepEqual(await hashRows(to.query), expected);
  });

  test("bring a running turn as interrupted, with its text, and tell what to do about a missing schema", async () => {
    const { variables, query } = await create("running");
    const database = await openDatabase(variables, systemClock);
    const owner = randomUUID();
    const turn = makeTurn(["u: Hi"], { userId });
    await beginTurn(new TurnWrites(database, systemClock, owner), turn);
    const piece = { turnId: turn.turnId, position: 0, text: "- p\n---RESPONSE---\nHalf an ans" };
    await new TurnReads(database).saveProgress([owner], [turn.turnId], [piece]);
    await database.close();
    await run(["export", "running.ndjson"], variables);
    assert.equal((await query("select status from turns"))[0]?.["status"], "running");
    const target = await create("ended");
    // A server with this DATA_DIR has gone on meanwhile.
    const live = await openDatabase(target.variables, systemClock);
    const going = makeTurn(["u: Ho"], { userId });
    await beginTurn(new TurnWrites(live, systemClock, owner), going);
    await live.close();
    const said = await run(["import", "running.ndjson"], target.variables);
    assert.match(said, /^Turns that were running, now interrupted: 1$/m);
    const [row] = await target.query(
      "select t.status, m.content from turns t join messages m on m.id = t.message_id",
    );
    assert.deepEqual(row, { status: "interrupted", content: "Half an ans" });
    assert.deepEqual(await target.query(`select status from turns where id = '${going.turnId}'`), [
      { status: "running" },
    ]);
    const empty = { DATABASE_URL: await server.createDatabase("empty") };
    for (const command of ["export", "import"])
      assert.match(
        await run([command, command === "export" ? "none.ndjson" : "running.ndjson"], empty, 1),
        /^Foreword cannot continue: .*\nWhat to do: apply the schema: `foreword migrate`/,
      );
    assert.ok(!(await readdir(folder.path)).some((name) => name.startsWith("none")));
  });

  test("leave out no table by mistake", async () => {
    const { query } = await create("listed");
    const rows = await query(
      "select relname as name from pg_class where relkind in ('r', 'p') and relnamespace::regnamespace::text in ('public', 'foreword')",
    );
    assert.deepEqual(
      rows.map(({ name }) => String(name)).toSorted(),
      [...movedTables.map(({ name }) => name), ...leftOut]
        .filter((name) => name !== "passage_vectors")
        .toSorted(),
    );
  });

  test("read a few MiB at a time, also if large rows follow many small ones", async () => {
    const { url, query } = await create("large");
    const id = randomUUID();
    await query(
      `insert into attachments (id, digest, text_digest, media_type, size_bytes) values ('${id}', '', '', 'image/png', 1)`,
      `insert into attachment_pieces select '${id}', n, case when n > 500 then decode(repeat('00', 262143), 'hex') else '' end
         from generate_series(1, 540) n`,
    );
    const session = await openPostgresRows({ url, authorities: undefined, poolSize: 1 }, tables);
    const { parts } = await exportRows(session, undefined);
    const lengths = await Array.fromAsync(parts, ({ text }) => text.length);
    await session.close();
    assert.ok(Math.max(...lengths) < 6_000_000, String(Math.max(...lengths)));
  });

  test("refuse an export while writes wait in the journal, for which a backup waits, and keep a file that exists", async () => {
    const journal = await Journal.open(String(source.variables["DATA_DIR"]), 1_000_000);
    const ids = { turnId: randomUUID(), conversationId: randomUUID(), userId };
    const { id } = await journal.append({ kind: "begin", ...ids, toArgument: () => "{}" });
    const said = await run(["export", "late.ndjson"], source.variables, 1);
    assert.match(
      said,
      /^foreword export: The journal in .* holds writes .* yet \(1\): start the server until `foreword doctor`/,
    );
    const { variables } = await create("queued");
    const dataDir = { DATA_DIR: String(source.variables["DATA_DIR"]) };
    const waiting = startCommand(["backup", "queued.ndjson"], { ...variables, ...dataDir }, folder.path);
    await waiting.printed(/^Waiting until the queued writes are in the database: 1 …$/m);
    await journal.remove(id);
    await journal.close();
    assert.equal(await waiting.exit(), 0, waiting.stderr);
    await writeFile(join(folder.path, "late.ndjson"), "mine");
    assert.match(await run(["export", "late.ndjson"], source.variables, 1), /late\.ndjson exists already/);
    assert.equal(await readFile(join(folder.path, "late.ndjson"), "utf8"), "mine");
  });

  /** The whole history of the user, as the server at `url` returns it. */
  async function readHistory(url: string): Promise<readonly string[]> {
    const read = async (path: string): Promise<string> => {
      const response = await fetch(`${url}${path}?userId=${userId}`);
      const text = await response.text();
      assert.equal(response.status, 200, text);
      return text;
    };
    const list = await read("/conversations");
    const { conversations } = Listed.parse(JSON.parse(list));
    const chats = conversations.map(({ id }) => read(`/conversations/${id}/messages`));
    return [list, ...(await Promise.all(chats))];
  }

  test("back up the embedded database of a running server, at one moment of its turns, which all go on", async () => {
    await source.sql(...recordingSql);
    const variables = { ...toVariables(model, source), PORT: "0", LIMIT_CONCURRENT_TURNS: "0" };
    const serving = startCommand([], variables, folder.path);
    const [, url = ""] = await serving.printed(/listening +(http:\S+)\n/);
    const quiet = await readHistory(url);
    const turns: LongTurn[] = [];
    for (let index = 0; index < 20; index += 1) turns.push(await startLongTurn(model, url));
    const speaking = setInterval(() => turns.forEach((turn) => turn.speak()), 20);
    const backup = startCommand(["backup", "b.ndjson.gz"], source.variables, folder.path);
    const state = { isOver: false };
    const over = backup.exit().finally(() => (state.isOver = true));
    while (!state.isOver) {
      await turns[turns.length - 20]?.end();
      turns.push(await startLongTurn(model, url));
    }
    clearInterval(speaking);
    assert.equal(await over, 0, backup.stderr);
    for (const turn of turns) await turn.end();
    const status = startCommand(["status"], source.variables, folder.path);
    assert.deepEqual([await status.exit(), status.stdout.slice(0, 9)], [0, "Foreword "]);
    const dataDir = String(source.variables["DATA_DIR"]);
    assert.deepEqual(await readdir(join(dataDir, "backup")), ["holder.txt", "lock.sqlite"]);
    const { signal } = new AbortController();
    const copying = (await ControlClient.connect(dataDir)) ?? assert.fail();
    await copying.request("copy-start", signal);
    serving.kill("SIGTERM");
    assert.equal(await serving.exit(), 0, "it ends in the middle of a copy");
    await assert.rejects(copying.request("copy-end", signal), ControlError);

    // Without the import's own change: the end of the turns that were running.
    const made = gunzipSync(await readFile(join(folder.path, "b.ndjson.gz"))).toString();
    const rows = made
      .slice(0, made.lastIndexOf("\n", made.length - 2) + 1)
      .replace(/"runningOwners":\[[^\]]+\]/, '"runningOwners":[]');
    await writeFile(join(folder.path, "exact.ndjson"), withDigest(rows));
    const copy = await create("exact");
    await run(["import", "exact.ndjson"], copy.variables);
    const moment = await findMoment((...statements) => source.sql(...statements), copy.query);
    assert.ok(moment !== undefined, "every row is that of one moment");
    assert.ok(moment.before > 20 && moment.before < moment.total - 20, JSON.stringify(moment));
    const ids = turns.slice(0, 20).map(({ id }) => `'${id}'`);
    const begun = await copy.query(`select from turns where id in (${ids.join(", ")})`);
    assert.equal(begun.length, 20, "all turns that had begun before are there");

    const restored = { DATA_DIR: join(folder.path, "restored") };
    const said = await run(["import", "b.ndjson.gz"], restored);
    assert.match(said, /^Turns that were running, now interrupted: [12]?\d$/m);
    const again = startCommand([], { ...variables, ...restored }, folder.path);
    const [, restoredUrl = ""] = await again.printed(/listening +(http:\S+)\n/);
    assert.deepEqual(await readHistory(restoredUrl), quiet);
    again.kill("SIGTERM");
    assert.equal(await again.exit(), 0);
  });
});
