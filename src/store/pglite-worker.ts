/** Owns the thread that PGlite runs in: it would hold the main thread for as long as each statement takes. */
import { parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { hash } from "node:crypto";
import { z } from "zod";
import type { WorkerReply } from "./pglite.ts";

const WorkerData = z.object({ folder: z.string(), schema: z.string() });
const Request = z.object({ id: z.number(), name: z.string(), argument: z.string() });
const Failure = z.object({ code: z.string().catch(""), message: z.string() });

const { folder, schema } = WorkerData.parse(workerData);

function tell(reply: WorkerReply): void {
  parentPort?.postMessage(reply);
}

/** Applies the schema unless this very text was the last one applied. */
async function applySchema(database: PGlite): Promise<void> {
  const digest = hash("sha256", schema);
  const marker = "to_regprocedure('public.chat_describe_schema(jsonb)')";
  const { rows } = await database.query<{ digest: string | null }>(
    `select obj_description(${marker}, 'pg_proc') as digest`,
  );
  if (rows[0]?.digest === digest) return;
  await database.exec(schema);
  await database.exec(`comment on function public.chat_describe_schema(jsonb) is '${digest}'`);
}

async function call(database: PGlite, name: string, argument: string): Promise<string> {
  const { rows } = await database.query<{ result: string }>(
    `select public.${name}($1::jsonb)::text as result`,
    [argument],
  );
  return rows[0]?.result ?? "null";
}

try {
  const database = await PGlite.create({ dataDir: folder });
  await applySchema(database);
  parentPort?.on("message", (message: unknown) => {
    if (message === "close") {
      void database.close().then(() => parentPort?.close());
      return;
    }
    const { id, name, argument } = Request.parse(message);
    call(database, name, argument).then(
      (result) => tell({ type: "result", id, result }),
      (error: unknown) => tell({ type: "failure", id, ...Failure.parse(error) }),
    );
  });
  tell({ type: "ready" });
} catch (error) {
  tell({ type: "broken", message: error instanceof Error ? error.message : String(error) });
}
