/** Owns `foreword doctor`: what is wrong with configuration, model and store, and how to mend it. */
import { z } from "zod";
import type { AppOptions } from "../app.ts";
import { AppError, toAppError } from "../errors.ts";
import { createClient } from "../model/openai-server.ts";
import { parse } from "../parse.ts";
import { inspectJournals } from "../store/journal-folder.ts";
import { callDeadlineMs, schemaVersion, service, type Database } from "../store/database.ts";
import { openDatabase, openStore } from "../store/open-store.ts";
import {
  chooseVersion,
  migrateAdvice,
  parseSchemaRange,
  toSchemaMismatch,
  type SchemaRange,
} from "../store/schema-version.ts";
import { systemClock } from "../system-clock.ts";

/** A check's result: all is well, or what is wrong and how to mend it. */
interface Finding {
  readonly subject: string;
  readonly isWell: boolean;
  readonly text: string;
  readonly mend?: string;
}

/** A user who exists nowhere: what this one sees, everybody does. */
const stranger = "ffffffff-ffff-4fff-bfff-ffffffffffff";
const modelTimeoutMs = 10_000;

const Description = z.object({
  caller: z.string(),
  tables: z.record(
    z.string(),
    z.object({
      row_level_security: z.boolean(),
      policies: z.number(),
      anon: z.boolean(),
      service_role: z.boolean(),
    }),
  ),
  functions: z.record(
    z.string(),
    z.object({ anon: z.boolean(), authenticated: z.boolean(), service_role: z.boolean() }),
  ),
});

/** Prints every finding; resolves with 0 when all is well, else with 1. */
export async function doctor(loadConfig: () => { readonly app: AppOptions }): Promise<number> {
  let isWell = true;
  const print = (finding: Finding): void => {
    isWell &&= finding.isWell;
    process.stdout.write(
      `${finding.isWell ? "ok   " : "WRONG"} ${finding.subject.padEnd(14)} ${finding.text}\n`,
    );
    if (finding.mend !== undefined) process.stdout.write(`${" ".repeat(21)}→ ${finding.mend}\n`);
  };
  const { app } = loadConfig();
  print({ subject: "configuration", isWell: true, text: "every variable can be read" });
  print(await checkModel(app.model));
  for (const finding of await checkStore(app.store)) print(finding);
  for (const finding of checkJournal(app.store)) print(finding);
  return isWell ? 0 : 1;
}

async function checkModel(options: AppOptions["model"]): Promise<Finding> {
  const subject = "model";
  if (options.type === "demo") return { subject, isWell: true, text: "the built-in demo" };
  const { openai } = options;
  try {
    const names: string[] = [];
    for await (const model of createClient(openai).models.list({ timeout: modelTimeoutMs }))
      names.push(model.id);
    if (
      openai.azure !== undefined ||
      names.includes(openai.model) ||
      names.includes(`${openai.model}:latest`)
    )
      return { subject, isWell: true, text: `${openai.model} is there` };
    const some = names.slice(0, 8).join(", ");
    return {
      subject,
      isWell: false,
      text: `the server does not list ${openai.model}`,
      mend: `set OPENAI_MODEL to one that it lists: ${some}`,
    };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return {
      subject,
      isWell: false,
      text,
      mend: "check OPENAI_API_KEY and OPENAI_BASE_URL, and that the server runs",
    };
  }
}

async function checkStore(options: AppOptions["store"]): Promise<readonly Finding[]> {
  const subject = "store";
  if (options.type === "none") return [{ subject, isWell: true, text: "none: CHAT_STORE_ENABLED is false" }];
  if (options.type === "supabase" && options.supabase.usesCallerToken)
    return [await checkReducedStore(options)];
  try {
    const database = await openDatabase(options, systemClock, () => {});
    try {
      await database.opened;
      return await checkDatabase(database);
    } finally {
      await database.close();
    }
  } catch (error) {
    const trouble = toAppError(error);
    if (trouble.code !== "store_locked") return [toFinding(subject, trouble)];
    return [
      {
        subject,
        isWell: true,
        text: `${trouble.message.replace(/;.*/, "")}: ask its /readyz, or stop it to look closer`,
      },
    ];
  }
}

/** What waits for the store here, and what it will never take. */
function checkJournal(options: AppOptions["store"]): readonly Finding[] {
  const subject = "journal";
  if (options.type === "none" || (options.type === "supabase" && options.supabase.usesCallerToken)) return [];
  try {
    const { queuedCount, refused } = inspectJournals(options.dataDir);
    const waiting = queuedCount === 0 ? "nothing waits" : `${queuedCount} writes wait for the store`;
    const mend = "mend what the reason says, then restart the server: it is tried again at each start";
    return [
      { subject, isWell: true, text: `${waiting} in ${options.dataDir}` },
      ...refused.map(({ kind, turnId, conversationId, createdAt, reason }) => ({
        subject,
        isWell: false,
        text: `the ${kind} of turn ${turnId} in conversation ${conversationId}, of ${createdAt}, will never be taken: ${reason}`,
        mend,
      })),
    ];
  } catch (error) {
    const { code, message } = toAppError(error);
    const mend = "see that DATA_DIR is a folder that this user may write to";
    return [{ subject, isWell: false, text: `${code}: ${message}`, mend }];
  }
}

/** With the anonymous key nothing can be looked at; that the project answers is all that can be told. */
async function checkReducedStore(options: AppOptions["store"]): Promise<Finding> {
  const store = await openStore(options, systemClock, { onEvent: () => {}, onTrouble: () => {} });
  const trouble = await store.findTrouble(callDeadlineMs);
  if (trouble !== undefined) return toFinding("store", trouble);
  return {
    subject: "store",
    isWell: true,
    text: "reduced: the project answers; its functions and grants cannot be seen with this key",
  };
}

async function checkDatabase(database: Database): Promise<readonly Finding[]> {
  const description = await database.call("chat_describe_schema", {}, service);
  const { caller, tables, functions } = parse(Description, description, "store_refused");
  const openTables = Object.fromEntries(
    Object.entries(tables).filter(([, table]) => !table.row_level_security || table.policies === 0),
  );
  const closedTables = Object.fromEntries(
    Object.entries(tables).filter(([, table]) => table.anon || !table.service_role),
  );
  const wrongFunctions = Object.fromEntries(
    Object.entries(functions).filter(
      ([name, grant]) =>
        grant.anon || !grant.service_role || grant.authenticated !== (name === "chat_save_messages"),
    ),
  );
  const judge = (
    subject: string,
    wrong: Readonly<Record<string, unknown>>,
    well: string,
    ill: string,
  ): Finding =>
    Object.keys(wrong).length === 0
      ? { subject, isWell: true, text: well }
      : { subject, isWell: false, text: `${ill}: ${toNames(wrong)}`, mend: migrateAdvice };
  return [
    checkVersion(parseSchemaRange(description), caller),
    judge(
      "functions",
      wrongFunctions,
      `${Object.keys(functions).length}, for the service only`,
      "wrongly granted",
    ),
    judge("grants", closedTables, "the service may write, the anonymous role may nothing", "wrongly granted"),
    judge("row security", openTables, `on for ${toNames(tables)}`, "off, or without a policy"),
    await checkIsolation(database),
  ];
}

/** An older schema that this server can use is well, and still worth upgrading. */
function checkVersion(range: SchemaRange, caller: string): Finding {
  const subject = "schema";
  const usable = chooseVersion(range);
  if (usable === undefined) return toFinding(subject, toSchemaMismatch(range));
  const text = `version ${range.version}, asked as ${caller}`;
  if (range.version === schemaVersion) return { subject, isWell: true, text };
  if (range.version > schemaVersion)
    return {
      subject,
      isWell: true,
      text: `${text}; newer than this server's ${schemaVersion}, which it serves`,
    };
  return {
    subject,
    isWell: true,
    text: `${text}; older than this server's ${schemaVersion}: what needs that version is off`,
    mend: migrateAdvice,
  };
}

function toNames(record: Readonly<Record<string, unknown>>): string {
  return Object.keys(record).join(", ");
}

/** Steps down to a user whom nobody is, inside a function, as every read does. */
async function checkIsolation(database: Database): Promise<Finding> {
  const subject = "isolation";
  try {
    const caller = { userId: stranger, accessToken: undefined };
    const answer = await database.call("chat_list_visible_tables", {}, caller);
    const tables = parse(z.array(z.string()), answer, "store_refused").join(", ");
    if (tables === "") return { subject, isWell: true, text: "a stranger sees nothing" };
    return {
      subject,
      isWell: false,
      text: `a stranger sees ${tables}`,
      mend: `drop the policies on ${tables} that are not Foreword's`,
    };
  } catch (error) {
    return toFinding(subject, toAppError(error));
  }
}

function toFinding(subject: string, error: AppError): Finding {
  return { subject, isWell: false, text: `${error.code}: ${error.message}`, mend: toMend(error) };
}

function toMend(error: AppError): string {
  if (error.advice !== undefined) return error.advice;
  if (error.code === "store_schema_missing" || error.code === "store_schema_mismatch") return migrateAdvice;
  if (error.code === "store_locked")
    return "a running server holds it, which is well; ask its /readyz, or stop it and run this again";
  if (error.code === "store_refused")
    return "check the key or the user of DATABASE_URL: it must be the service-role key, or the schema's owner";
  return "check DATABASE_URL or SUPABASE_URL, and that the database runs";
}
