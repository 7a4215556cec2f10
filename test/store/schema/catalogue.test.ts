/** The catalogue check fails for every kind of opening that a later schema might add. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import { functions } from "../../../src/store/database/database.ts";
import { loadSchema } from "../../../src/store/schema/schema.ts";
import { listOpenings } from "./catalogue.ts";
import { toScratch, type Scratch } from "../scratch-database.ts";
import { defaultTables } from "../../support/databases/default-tables.ts";

/** Additions, and the opening each one makes. */
const additions: readonly (readonly [string, string])[] = [
  ["alter table turns disable row level security", "table turns has no row level security"],
  [
    `create table notes (id int); revoke all on notes from anon;
     create policy own on notes to authenticated using (auth.uid() is not null)`,
    "table notes has no row level security",
  ],
  ["create table notes (id int); alter table notes enable row level security", "table notes has no policy"],
  [
    "create policy more on turns for update to authenticated using (user_id = auth.uid())",
    "policy more on turns writes without a check",
  ],
  [
    "create policy more on turns for select to authenticated using (true)",
    "policy more on turns does not ask who is there",
  ],
  [
    "create policy more on turns for insert to authenticated with check (true)",
    "policy more on turns does not ask who is there",
  ],
  [
    "create policy more on turns for select using (user_id = auth.uid())",
    "policy more on turns is for others than users",
  ],
  ["grant select on turn_pieces to anon", "table turn_pieces may be used by anon"],
  ["grant insert on messages to public", "table messages may be used by anon"],
  ["create sequence counter; grant usage on sequence counter to anon", "table counter may be used by anon"],
  [
    "create function tell() returns int language sql set search_path = '' as 'select 1'",
    "function tell() may be called by anon",
  ],
  [
    "grant execute on function chat_read_turn(jsonb) to anon",
    "function chat_read_turn(jsonb) may be called by anon",
  ],
  [
    "create function auth.tell() returns int language sql security definer as 'select 1'",
    "function auth.tell() defines security without a fixed search_path",
  ],
  [
    "alter function chat_bury_conversations() set search_path = public",
    "function chat_bury_conversations() defines security without a fixed search_path",
  ],
  [
    "alter function chat_read_turn(jsonb) reset search_path",
    "function chat_read_turn(jsonb) has no fixed search_path",
  ],
  ["create view newest as select * from messages", "view newest asks as its owner"],
  [
    "create view newest with (security_invoker = false) as select * from messages",
    "view newest asks as its owner",
  ],
  [
    "create materialized view counts as select count(*) from messages",
    "materialized view counts holds rows of all",
  ],
];

describe("a catalogue", { timeout: 60_000 }, () => {
  let scratch: Scratch;
  before(async () => {
    scratch = toScratch(await PGlite.create());
    await scratch.apply(await loadSchema(defaultTables));
  });
  after(() => scratch.close());

  /** Returns the openings that `addition` makes. */
  async function open(addition: string): Promise<string[]> {
    await scratch.apply(`begin; ${addition}`);
    return await listOpenings(scratch).finally(() => scratch.apply("rollback"));
  }

  test("of the schema has no opening, also with a view that runs as its reader", async () => {
    assert.deepEqual(await listOpenings(scratch), []);
    const view = "create view newest with (security_invoker) as select * from messages";
    assert.deepEqual(await open(view), []);
  });

  test("has one snapshot for every function that reads, however many statements that has", async () => {
    const reads = Object.entries(functions).flatMap(([name, kind]) => (kind === "read" ? name : []));
    const rows = await scratch.sql(
      `select proname from pg_proc where provolatile = 'v' and proname in ('${reads.join("', '")}')`,
    );
    assert.deepEqual(rows, []);
  });

  for (const [addition, opening] of additions) {
    test(`fails because ${opening}: ${addition.replaceAll(/\s+/g, " ")}`, async () => {
      const openings = await open(addition);
      assert.ok(openings.includes(opening), openings.join("\n"));
    });
  }
});
