/** The stores of a soak: how each is started, and what its files and rows are. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { Client } from "pg";
import { z } from "zod";
import { mebibyte } from "../../src/base/sizes.ts";
import { atEnd } from "../clean-up.ts";
import { readPrivateKib } from "../load/process-usage.ts";
import { openPostgres } from "../peers/databases.ts";

/** Tables whose rows are few at any time, since they are of running turns or one for each user. */
const boundedTables = ["turn_pieces", "turn_waits", "request_counts", "daily_usage", "word_backlog"];

/** Sizes of a store in bytes. */
export interface StoreSizes {
  readonly logBytes: number;
  /** All tables with their indexes. */
  readonly tableBytes: number;
  /** Those of {@link boundedTables}. */
  readonly boundedBytes: number;
  /** The part of all rows that is dead, in percent. */
  readonly deadPercent: number | undefined;
  /** Memory of the processes of the server's connections, which they do not share: the mean. */
  readonly connectionBytes: number | undefined;
}

/** A database under a soak. */
export interface SoakedStore {
  /** Variables that point Foreword at it; `undefined` for the embedded database in `DATA_DIR`. */
  readonly variables: Readonly<Record<string, string>> | undefined;
  /** Reads the sizes now; they may be known only later, once the server has ended. */
  measure(): Promise<() => Promise<StoreSizes>>;
}

/** The names of the stores. */
export const storeNames = ["pglite", "postgres"] as const;
export type StoreName = (typeof storeNames)[number];

/** Opens a store; `dataDir` is that of its server. */
export async function openSoaked(name: StoreName, dataDir: string): Promise<SoakedStore> {
  return name === "pglite" ? openEmbedded(dataDir) : await openServer();
}

const Sizes = z.tuple([
  z.object({
    log: z.number(),
    tables: z.number(),
    bounded: z.number(),
    live: z.number(),
    dead: z.number(),
    pids: z.array(z.number()),
  }),
]);
const sizesSql = `
  select (select sum(size)::float8 from pg_ls_waldir()) as log,
    sum(pg_total_relation_size(relid))::float8 as tables,
    sum(pg_total_relation_size(relid)) filter (where relname = any ($1))::float8 as bounded,
    sum(n_live_tup)::float8 as live, sum(n_dead_tup)::float8 as dead,
    array(select pid from pg_stat_activity
      where backend_type = 'client backend' and pid <> pg_backend_pid()) as pids
  from pg_stat_user_tables`;

function toMean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / Math.max(1, numbers.length);
}

/** Its log has its full size from the start, as after some days. */
async function openServer(): Promise<SoakedStore> {
  const { variables } = await openPostgres();
  const client = new Client({ connectionString: variables["DATABASE_URL"] });
  await client.connect();
  atEnd(async () => await client.end());
  for (const setting of ["max_wal_size = '96MB'", "min_wal_size = '96MB'"])
    await client.query(`alter system set ${setting}`);
  await client.query("select pg_reload_conf()");
  for (let segment = 0; segment < 8; segment += 1) {
    await client.query("select pg_current_xact_id()");
    await client.query("select pg_switch_wal()");
  }
  await client.query("checkpoint");
  return {
    variables,
    measure: async () => {
      const { rows } = await client.query<Record<string, unknown>>(sizesSql, [boundedTables]);
      const [{ log, tables, bounded, live, dead, pids }] = Sizes.parse(rows);
      const sizes = {
        logBytes: log,
        tableBytes: tables,
        boundedBytes: bounded,
        deadPercent: (100 * dead) / Math.max(1, live + dead),
        connectionBytes: toMean(pids.map(readPrivateKib)) * 1024,
      };
      return async () => sizes;
    },
  };
}

/** Only its server can ask the embedded database: its files are read now, its tables afterwards. */
function openEmbedded(dataDir: string): SoakedStore {
  const folder = join(dataDir, "database", "pglite");
  let paths: Promise<ReadonlyMap<string, string>> | undefined;
  return {
    variables: undefined,
    measure: async () => {
      const files = await readSizes(folder);
      const sum = (isMeant: (path: string) => boolean): number =>
        Array.from(files).reduce((total, [path, bytes]) => total + (isMeant(path) ? bytes : 0), 0);
      const logBytes = sum((path) => path.startsWith("pg_wal/"));
      return async () => {
        paths ??= readPaths(folder);
        const tables = await paths;
        const tableOf = (path: string): string => tables.get(path.replace(/[._][^/]*$/, "")) ?? "";
        return {
          logBytes,
          tableBytes: sum((path) => tableOf(path) !== ""),
          boundedBytes: sum((path) => boundedTables.includes(tableOf(path))),
          deadPercent: undefined,
          connectionBytes: undefined,
        };
      };
    },
  };
}

const Paths = z.array(z.object({ path: z.string(), name: z.string() }));
const pathsSql = `
  with relations as (
    select oid, oid as owner from pg_class where relkind = 'r'
    union all select reltoastrelid, oid from pg_class where reltoastrelid <> 0
  ), files as (
    select oid, owner from relations
    union all select i.indexrelid, r.owner from pg_index i join relations r on r.oid = i.indrelid
  )
  select pg_relation_filepath(f.oid) as path, t.relname as name
  from files f join pg_class t on t.oid = f.owner join pg_namespace n on n.oid = t.relnamespace
  where n.nspname in ('public', 'foreword')`;

/** Resolves with the tables of files, by the paths of the files below `folder`. */
async function readPaths(folder: string): Promise<ReadonlyMap<string, string>> {
  const database = await PGlite.create({ dataDir: folder });
  try {
    const { rows } = await database.query(pathsSql);
    return new Map(Paths.parse(rows).map(({ path, name }) => [path, name]));
  } finally {
    await database.close();
  }
}

/** Resolves with the sizes of all files below `folder`, in bytes. */
export async function readSizes(folder: string): Promise<ReadonlyMap<string, number>> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    entries.map(async (path) => {
      // A file may have been removed meanwhile.
      const found = await stat(join(folder, path)).catch(() => undefined);
      return [path, found?.isFile() === true ? found.size : 0] as const;
    }),
  );
  return new Map(sizes);
}

/** The size of a segment of a database's log: the log grows and shrinks by whole ones. */
export const segmentBytes = 16 * mebibyte;
