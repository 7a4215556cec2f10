/** `npm run seed`: creates rows as turns would have left them, and leaves all other rows alone. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { loadSchema } from "../../src/store/schema/schema.ts";
import { addressMessages } from "../../src/turn/message-tree.ts";
import { RunningCommand } from "../command/run-command.ts";
import { startPostgres, type PostgresServer } from "../support/databases/postgres-server.ts";
import { makeFolder } from "../support/apps/start-app.ts";
import { openPostgres, toDatabase, type Scratch } from "../store/scratch-database.ts";

const script = fileURLToPath(new URL("../../bench/seed/seed.ts", import.meta.url));
const Conversations = z.array(z.object({ id: z.string(), leaf_id: z.string() }));
const Path = z.object({
  digest: z.string(),
  messages: z.array(z.object({ role: z.enum(["user", "assistant"]), content: z.string() })),
});

interface Outcome {
  readonly code: unknown;
  readonly output: string;
  readonly errors: string;
}

describe("npm run seed", { timeout: 120_000 }, () => {
  let server: PostgresServer;
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let scratch: Scratch;
  before(async () => {
    [server, folder] = await Promise.all([startPostgres(), makeFolder()]);
    scratch = await openPostgres(server.url);
    await scratch.apply(
      await loadSchema({ conversations: "conversations", messages: "messages", turns: "turns" }),
    );
  });
  after(async () => {
    await scratch.close();
    await server.stop();
    await folder.remove();
  });

  async function seed(options: readonly string[], url: string = server.url): Promise<Outcome> {
    const command = new RunningCommand(options, { DATABASE_URL: url }, folder.path, [
      process.execPath,
      script,
    ]);
    const code = await command.exit();
    return { code, output: command.stdout, errors: command.stderr };
  }

  async function countRows(): Promise<unknown> {
    const [row] = await scratch.sql(`select (select count(*)::integer from conversations) as conversations,
      (select count(*)::integer from messages) as messages, (select count(*)::integer from turns) as turns,
      (select count(*)::integer from deleted_conversations) as tombstones`);
    return row;
  }

  test("creates rows as turns would have left them, and removes exactly those", async () => {
    const own = randomUUID();
    await scratch.apply(`insert into conversations (id, title, metadata) values ('${own}', 'Own', '{"foreword_seed": false}');
      insert into messages (conversation_id, role, content) values ('${own}', 'user', 'everywhere');
      insert into conversations (title) values ('Gone'); delete from conversations where title = 'Gone'`);
    const earlier = await countRows();

    const userId = randomUUID();
    const made = await seed(["--conversations", "20", "--messages", "103", "--user", userId]);
    assert.equal(made.code, 0, made.errors);
    assert.ok(made.output.includes(userId));
    assert.deepEqual(await countRows(), { conversations: 21, messages: 104, turns: 43, tombstones: 1 });

    const database = toDatabase(scratch);
    const caller = { userId, accessToken: undefined };
    const shown = await database.call("chat_list_conversations", { limit: 100 }, caller);
    const archived = await database.call(
      "chat_list_conversations",
      { limit: 100, is_archived: true },
      caller,
    );
    const conversations = [...Conversations.parse(shown), ...Conversations.parse(archived)];
    assert.equal(conversations.length, 4);
    for (const { id } of conversations) {
      const argument = { conversation_id: id, max_chars: 1_000_000 };
      const path = Path.parse(await database.call("chat_read_path", argument, caller));
      assert.ok(path.messages.length >= 5);
      const sent = path.messages.map(({ role, content }) => ({ role, text: content, images: [] }));
      assert.equal(addressMessages(sent).at(-1)?.pathDigest, path.digest);
    }

    assert.equal((await seed(["--conversations", "3", "--messages", "3"])).code, 0);
    const removed = await seed(["--remove"]);
    assert.deepEqual([removed.code, removed.output], [0, "Removed 23 conversations.\n"]);
    assert.deepEqual(await countRows(), earlier);
  });

  test("names the wrong option, and creates nothing", async () => {
    const earlier = await countRows();
    for (const [options, told] of [
      [["--messages", "many"], /^seed: --messages must be a whole number up to 100,000,000\n$/],
      [["--conversations", "0"], /^seed: --conversations must be from 1 to 100,000,000\n$/],
      [["--conversations", "-1"], /--conversations/],
      [
        ["--conversations", "5", "--messages", "4"],
        /^seed: --messages must be at least the number of conversations/,
      ],
      [["--user", "me"], /^seed: --user must be a UUID\n$/],
      [["--rows", "1"], /--rows[^]*Usage: /],
      [["12"], /12[^]*Usage: /],
    ] as const) {
      const { code, errors } = await seed(options);
      assert.equal(code, 2, errors);
      assert.match(errors, told);
    }
    assert.deepEqual(await countRows(), earlier);
    assert.match((await seed([], "")).errors, /^seed: DATABASE_URL is not set/);
    const empty = await seed([], await server.createDatabase("empty"));
    assert.deepEqual([empty.code, /Apply the schema first/.test(empty.errors)], [2, true]);
    const help = await seed(["--help"], "");
    assert.deepEqual([help.code, help.output.startsWith("Usage: npm run seed")], [0, true]);
  });
});
