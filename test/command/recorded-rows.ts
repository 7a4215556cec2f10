/** Records every change of every row in the database itself, to tell which moment a backup shows. */
import { z } from "zod";
import { movedTables } from "../../src/store/moving/moved-tables.ts";

const Row = z.record(z.string(), z.unknown());
const Changes = z.array(
  z.object({ tx: z.string(), name: z.string(), old: z.string().nullable(), new: z.string().nullable() }),
);
const Texts = z.array(z.object({ name: z.string(), row: z.string() }));
type Query = (...statements: string[]) => Promise<Record<string, unknown>[]>;

/** Statements after which all changes are recorded; the rows that are there are its first ones. */
export const recordingSql: readonly string[] = [
  `create table public.recorded (id bigint generated always as identity, tx xid8 default pg_current_xact_id(),
    name text, old text, new text)`,
  `create function public.record_change() returns trigger language plpgsql set timezone = 'UTC' as $$
    begin
      insert into public.recorded (name, old, new) values (tg_table_name,
        case when tg_op <> 'INSERT' then to_jsonb(old)::text end,
        case when tg_op <> 'DELETE' then to_jsonb(new)::text end);
      return null;
    end $$`,
  ...movedTables.flatMap(({ name }) => [
    `insert into public.recorded (name, new) select '${name}', to_jsonb(t)::text from public.${name} t`,
    `create trigger recorded after insert or update or delete on public.${name}
      for each row execute function public.record_change()`,
  ]),
];

/** Rows by their table and key, as text. */
type State = Map<string, string>;

function toKey(name: string, row: string): string {
  const columns = movedTables.find((table) => table.name === name)?.key ?? [];
  const values = Row.parse(JSON.parse(row));
  return JSON.stringify([name, ...columns.map((column) => values[column])]);
}

async function readState(query: Query): Promise<State> {
  const tables = movedTables.map(
    ({ name }) => `select '${name}' as name, to_jsonb(t)::text as row from public.${name} t`,
  );
  const rows = Texts.parse(await query("set local timezone = 'UTC'", tables.join(" union all ")));
  return new Map(rows.map(({ name, row }) => [toKey(name, row), row]));
}

/** A moment between two transactions. */
export interface Moment {
  /** Transactions before it, and in all. */
  readonly before: number;
  readonly total: number;
}

/**
 * Resolves with the moment of `source` at which every row of every table was as it is in `copy`, and no other
 * row was there; `undefined` if there was none.
 */
export async function findMoment(source: Query, copy: Query): Promise<Moment | undefined> {
  const changes = Changes.parse(
    await source("select tx::text, name, old, new from public.recorded order by id"),
  );
  const target = await readState(copy);
  const state: State = new Map();
  const different = new Set(target.keys());
  let [transactions, before] = [0, -1];
  for (const [index, { tx, name, old, new: added }] of changes.entries()) {
    if (old !== null) state.delete(toKey(name, old));
    if (added !== null) state.set(toKey(name, added), added);
    for (const key of [old, added].flatMap((row) => (row === null ? [] : [toKey(name, row)])))
      if (state.get(key) === target.get(key)) different.delete(key);
      else different.add(key);
    if (changes[index + 1]?.tx === tx) continue;
    transactions += 1;
    if (different.size === 0) before = transactions;
  }
  return before < 0 ? undefined : { before, total: transactions };
}
