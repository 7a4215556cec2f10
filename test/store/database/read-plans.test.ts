/**
 * Reading a page costs the page, not the history: checked by Postgres' plans and the number of rows it reads.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Client, type ClientBase } from "pg";
import { z } from "zod";
import { analyzeRows, seedRows } from "../../../bench/seed/seed-rows.ts";
import type { JsonObject } from "../../../src/base/json.ts";
import { toArgument, type FunctionName } from "../../../src/store/database/database.ts";
import { toSearchQuery } from "../../../src/store/words/lexemes.ts";
import { loadSchema } from "../../../src/store/schema/schema.ts";
import { startPostgres, type PostgresServer } from "../../support/databases/postgres-server.ts";

const sizes = {
  small: { conversations: 800, messages: 4_800 },
  large: { conversations: 8_000, messages: 48_000 },
};
/** After five executions Postgres may plan a function's statements without looking at its parameters. */
const calls = 8;

const Rows = z.array(z.object({ id: z.string(), updated_at: z.string(), leaf_id: z.string() })).min(1);
const Counter = z.tuple([z.object({ count: z.coerce.number() })]);
const countRowsRead =
  "select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) as count from pg_stat_xact_user_tables";

const PlanNode = z.object({
  "Node Type": z.string(),
  "Relation Name": z.string().optional(),
  "Index Name": z.string().optional(),
  "Index Cond": z.string().optional(),
  get Plans() {
    return z.array(PlanNode).optional();
  },
});
type PlanNode = z.infer<typeof PlanNode>;
const Explained = z.object({ "Query Text": z.string(), Plan: PlanNode });

/** A read, and an index that must be used for it. */
interface Read {
  readonly name: FunctionName;
  readonly argument: (of: History) => JsonObject;
  readonly index: string;
}

/** A seeded database, and the places in it to read. */
interface History {
  readonly client: Client;
  readonly userId: string;
  /** The last of the user's newest conversations, a page before the end. */
  readonly late: z.infer<typeof Rows>[number];
}

const search = (query: string, more: JsonObject = {}): Read => ({
  name: "chat_list_conversations",
  argument: ({ userId }) => ({ query, ...toSearchQuery(query, userId), limit: 21, ...more }),
  index: "message_words_idx",
});
const hits = (query: string): Read => ({
  name: "chat_find_hits",
  argument: ({ userId, late }) => ({
    ...toSearchQuery(query, userId),
    conversation_ids: [late.id],
    max_bytes: 1_000_000,
  }),
  index: "message_words_idx",
});
const reads: Readonly<Record<string, Read>> = {
  "the newest conversations": {
    name: "chat_list_conversations",
    argument: () => ({ limit: 21 }),
    index: "conversations_newest_idx",
  },
  "a late page of them": {
    name: "chat_list_conversations",
    argument: ({ late }) => ({ limit: 21, before: { updated_at: late.updated_at, id: late.id } }),
    index: "conversations_newest_idx",
  },
  "archived ones": {
    name: "chat_list_conversations",
    argument: () => ({ limit: 21, is_archived: true }),
    index: "conversations_archived_idx",
  },
  "one conversation": {
    name: "chat_get_conversation",
    argument: ({ late }) => ({ conversation_id: late.id }),
    index: "conversations_pkey",
  },
  "the newest messages of its path": {
    name: "chat_list_messages",
    argument: ({ late }) => ({ conversation_id: late.id, limit: 5 }),
    index: "messages_pkey",
  },
  "the messages before one": {
    name: "chat_list_messages",
    argument: ({ late }) => ({ conversation_id: late.id, limit: 5, before: late.leaf_id }),
    index: "messages_pkey",
  },
  "all branches": {
    name: "chat_list_messages",
    argument: ({ late }) => ({ conversation_id: late.id, limit: 5, is_tree: true }),
    index: "messages_order_idx",
  },
  "the path that a turn goes on from": {
    name: "chat_read_path",
    argument: ({ late }) => ({ conversation_id: late.id, max_chars: 100_000 }),
    index: "messages_pkey",
  },
  "the newest turn": {
    name: "chat_find_newest_turn",
    argument: ({ late }) => ({ conversation_id: late.id }),
    index: "turns_conversation_idx",
  },
  "what is to be deleted for its age": {
    name: "chat_delete_expired",
    argument: () => ({ days: 36_500, limit: 100 }),
    index: "conversations_expiry_idx",
  },
  "texts that are to be read for the search": {
    name: "chat_index_texts",
    argument: () => ({ read: [], limit: 50, max_bytes: 64 * 1024 }),
    index: "message_words_due_idx",
  },
  "a word in every message": search("everywhere"),
  "where such a word is": hits("everywhere"),
  "where a phrase is": hits('"everywhere replied"'),
  "archived ones with a word in every message": search("everywhere", { is_archived: true }),
  "a word in one message": search("rare"),
  "a word in none": search("nowhere"),
  "a word in each conversation": search("opening"),
  "a common word and a rare one": search("everywhere rare"),
  "the beginning of a common word": search("everyw"),
  "the beginning of a rare word": search("rar"),
  "a phrase in every reply": search('"everywhere replied"'),
  "what holds not a rare word": search("-rare"),
  "what holds not a common word": search("-everywhere"),
};

async function fill(server: PostgresServer, name: keyof typeof sizes): Promise<History> {
  const client = new Client({ connectionString: await server.createDatabase(name) });
  await client.connect();
  const schema = await loadSchema({ conversations: "conversations", messages: "messages", turns: "turns" });
  const userId = randomUUID();
  await client.query(schema);
  await client.query("drop index public.message_words_idx"); // rebuilding is faster than updating
  await seedRows(client, { ...sizes[name], userId });
  await client.query(schema);
  await analyzeRows(client);
  const limit = Math.floor((sizes[name].conversations / 5) * 0.5);
  const newest = Rows.parse(await call(client, userId, "chat_list_conversations", { limit }));
  const late = newest.at(-1);
  assert.ok(newest.length === limit && late !== undefined);
  await client.query(`load 'auto_explain'; set auto_explain.log_nested_statements = on; set auto_explain.log_format = json;
    set client_min_messages = log`);
  return { client, userId, late };
}

async function call(
  client: ClientBase,
  userId: string,
  name: FunctionName,
  argument: JsonObject,
): Promise<unknown> {
  const values = [JSON.stringify(toArgument(argument, { userId, accessToken: undefined }))];
  const { rows } = await client.query<{ result: unknown }>(
    `select public.${name}($1::jsonb) as result`,
    values,
  );
  return rows[0]?.result;
}

/** Runs a read; returns every scan of every statement in it, with the statement. */
async function listScans(history: History, read: Read): Promise<(PlanNode & { statement: string })[]> {
  const { client, userId } = history;
  const scans: (PlanNode & { statement: string })[] = [];
  const take = ({ message = "" }: { readonly message?: string | undefined }): void => {
    const [, json] = message.split("plan:\n");
    if (json === undefined) return;
    const { Plan, "Query Text": statement } = Explained.parse(JSON.parse(json));
    const visit = (node: PlanNode): void => {
      if (node["Node Type"].includes("Scan")) scans.push({ ...node, Plans: undefined, statement });
      node.Plans?.forEach(visit);
    };
    visit(Plan);
  };
  client.on("notice", take);
  await client.query("set auto_explain.log_min_duration = 0");
  try {
    for (let time = 0; time < calls; time += 1) await call(client, userId, read.name, read.argument(history));
  } finally {
    await client.query("set auto_explain.log_min_duration = -1");
    client.off("notice", take);
  }
  return scans;
}

async function countRows(history: History, read: Read): Promise<number> {
  const { client, userId } = history;
  await client.query("begin");
  const [earlier] = Counter.parse((await client.query(countRowsRead)).rows);
  await call(client, userId, read.name, read.argument(history));
  const [later] = Counter.parse((await client.query(countRowsRead)).rows);
  await client.query("rollback");
  return later.count - earlier.count;
}

describe("reading a large history", { timeout: 240_000 }, () => {
  let server: PostgresServer;
  let histories: { readonly small: History; readonly large: History };
  before(async () => {
    server = await startPostgres();
    histories = { small: await fill(server, "small"), large: await fill(server, "large") };
  });
  after(async () => {
    await histories.small.client.end();
    await histories.large.client.end();
    await server.stop();
  });

  for (const [label, read] of Object.entries(reads)) {
    test(`finds ${label} by an index, and never reads a table or an index from end to end`, async () => {
      const scans = await listScans(histories.large, read);
      assert.ok(
        scans.some((scan) => scan["Index Name"] === read.index),
        JSON.stringify(scans),
      );
      // The index of running turns holds no other turns, and the backlog has two rows at most.
      const whole = scans.filter(
        (scan) =>
          scan["Relation Name"] !== "word_backlog" &&
          ((scan["Node Type"].includes("Seq Scan") && scan["Relation Name"] !== undefined) ||
            (scan["Node Type"].includes("Index") &&
              scan["Index Cond"] === undefined &&
              scan["Index Name"] !== "turns_running_idx")),
      );
      assert.deepEqual(whole, []);
    });

    test(`reads as many rows for ${label} in a history ten times as long`, async () => {
      const few = await countRows(histories.small, read);
      const many = await countRows(histories.large, read);
      assert.ok(
        many <= Math.max(few, 20) * 1.5,
        `${few} rows of the small history, ${many} of the large one`,
      );
    });
  }
});
