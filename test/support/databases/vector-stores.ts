/** The databases that can store vectors: PGlite always, the others if pgvector is installed. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import {
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
  type StoreHarness,
} from "./store-harness.ts";

/** Settings that have an app open PGlite with the extension; nothing is listening there. */
export const unusedEmbeddings = { EMBEDDINGS_MODEL: "unused", EMBEDDINGS_BASE_URL: "http://127.0.0.1:9/v1" };

/** Debian's folder of Postgres, by version. */
const debianFolder = "/usr/lib/postgresql";

/** Returns the binaries of an installed Postgres that has pgvector; `undefined` if there is none. */
export function findVectorPostgres(): string | undefined {
  const versions = existsSync(debianFolder) ? readdirSync(debianFolder) : [];
  return versions
    .filter((version) => existsSync(`/usr/share/postgresql/${version}/extension/vector.control`))
    .map((version) => join(debianFolder, version, "bin"))
    .find((binaries) => existsSync(join(binaries, "postgres")));
}

const binaries = findVectorPostgres();

/** A database, and why it cannot be started here, if so, as the reason to skip a suite. */
export interface VectorStore {
  readonly name: string;
  readonly skip: string | false;
  readonly start: () => Promise<StoreHarness>;
}

const skip =
  binaries === undefined && "no Postgres with pgvector is installed (postgresql-17-pgvector on Debian 13)";

/** Each kind of store, with vectors. On Supabase, extensions have a schema of their own. */
export const vectorStores: readonly VectorStore[] = [
  { name: "PGlite", skip: false, start: () => startPglite(unusedEmbeddings) },
  { name: "Postgres", skip, start: () => startPostgresHarness(binaries) },
  {
    name: "PostgREST",
    skip,
    start: () =>
      startSupabaseHarness({
        binaries,
        setup: [
          "create schema extensions; grant usage on schema extensions to anon, authenticated, service_role",
        ],
      }),
  },
];
