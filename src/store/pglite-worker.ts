/** Owns the thread that PGlite runs in: it would hold the main thread for as long as each statement takes. */
import { parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { hash } from "node:crypto";
import type { WorkerData, WorkerReply, WorkerRequest } from "./pglite.ts";
import { loadSchema } from "./schema.ts";

/** Postgres clears its cache of pages when it starts, which takes a fifth of that with the 128 MB it has by itself; the system caches files too. */
const startParams = [...PGlite.defaultStartParams, "-c", "shared_buffers=32MB"];

const { folder, tables }: WorkerData = workerData;

function tell(reply: WorkerReply): void {
  parentPort?.postMessage(reply);
}

/** Applies the schema unless this very text was the last one applied. */
async function applySchema(database: PGlite): Promise<void> {
  const schema = await loadSchema(tables);
  const digest = hash("sha256", schema);
  const marker = "to_regprocedure('public.chat_describe_schema(jsonb)')";
  const { rows } = await database.query<{ digest: string | null }>(
    `select obj_description(${marker}, 'pg_proc') as digest`,
  );
  if (rows[0]?.digest === digest) return;
  try {
    await database.exec(schema);
  } catch (error) {
    await database.close();
    throw error;
  }
  await database.exec(`comment on function public.chat_describe_schema(jsonb) is '${digest}'`);
}

async function call(database: PGlite, name: string, argument: string): Promise<string> {
  const { rows } = await database.query<{ result: string }>(
    `select public.${name}($1::jsonb)::text as result`,
    [argument],
  );
  return rows[0]?.result ?? "null";
}

/** What Postgres says has a SQLSTATE for its code. */
function toFailure(error: unknown): { readonly code: string; readonly message: string } {
  if (!(error instanceof Error)) return { code: "", message: String(error) };
  return { code: "code" in error ? String(error.code) : "", message: error.message };
}

try {
  const database = await PGlite.create({ dataDir: folder, startParams });
  await applySchema(database);
  parentPort?.on("message", (message: WorkerRequest) => {
    if (message === "close") {
      void database.close().then(() => parentPort?.close());
      return;
    }
    const { id, name, argument } = message;
    call(database, name, argument).then(
      (result) => tell({ type: "result", id, result }),
      (error: unknown) => tell({ type: "failure", id, ...toFailure(error) }),
    );
  });
  tell({ type: "ready" });
} catch (error) {
  tell({ type: "broken", ...toFailure(error) });
}
