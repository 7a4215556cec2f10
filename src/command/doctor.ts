/** `foreword doctor`: checks configuration, model and store, and shows how to fix each problem. */
import { z } from "zod";
import type { AppOptions } from "../app.ts";
import { toAppError, type AppError } from "../base/errors.ts";
import { parse } from "../base/parse.ts";
import { inspectJournals } from "../store/journal/inspect.ts";
import { callDeadlineMs, schemaVersion, service, type Database } from "../store/database/database.ts";
import { openDatabase, openStore, type StoreOptions } from "../store/open-store.ts";
import {
  chooseVersion,
  migrateAdvice,
  parseSchemaRange,
  toSchemaMismatch,
  type SchemaRange,
} from "../store/schema/schema-version.ts";
import { systemClock } from "../base/clock.ts";
import { checkBus } from "./checks/bus-check.ts";
import type { Finding } from "./finding.ts";
import { vectorAdvice } from "../observe/log-observer.ts";
import { createTextCensor } from "../observe/logger.ts";
import { checkEmbeddings } from "./checks/embeddings-check.ts";
import { checkModels } from "./checks/model-check.ts";
import { checkSearch } from "./checks/search-check.ts";
import { checkTools } from "./checks/tools-check.ts";
import { toStoreAdvice } from "./store-advice.ts";

/** A user who does not exist: rows that this one sees, every user sees. */
const stranger = "ffffffff-ffff-4fff-bfff-ffffffffffff";

const Description = z.object({
  caller: z.string(),
  has_vectors: z.boolean().default(false),
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

/** The configuration to check. */
export interface DoctorOptions {
  readonly app: AppOptions;
  readonly secrets: readonly string[];
  readonly warnings: readonly string[];
}

/** Prints every finding, without secrets; resolves with 0 if all is well, else with 1. */
export async function doctor(
  loadConfig: () => DoctorOptions,
  printLine: (line: string) => void = (line) => void process.stdout.write(`${line}\n`),
): Promise<number> {
  const { app, secrets, warnings } = loadConfig();
  const clean = createTextCensor(secrets);
  let isWell = true;
  const print = ({ subject, isWell: isFine, isWarning, text, fix }: Finding): void => {
    isWell &&= isFine;
    const sign = isWarning === true ? "WARN " : isFine ? "ok   " : "WRONG";
    printLine(clean(`${sign} ${subject.padEnd(14)} ${text}`));
    if (fix !== undefined) printLine(clean(`${" ".repeat(21)}→ ${fix}`));
  };
  for (const text of warnings) print({ subject: "configuration", isWell: true, isWarning: true, text });
  print({ subject: "configuration", isWell: true, text: "all variables are valid" });
  if (app.auth.type === "keys") print(toKeyNames(app.auth));
  for (const finding of await checkModels(app.model)) print(finding);
  for (const finding of await checkTools(app.toolServers)) print(finding);
  for (const finding of await checkEmbeddings(app.embeddings)) print(finding);
  for (const finding of await checkSearch(app.webSearch)) print(finding);
  for (const finding of await checkStore(app.store, app.embeddings !== undefined)) print(finding);
  for (const finding of await checkBus(app.store)) print(finding);
  for (const finding of checkJournal(app.store)) print(finding);
  return isWell ? 0 : 1;
}

/** Settings of models refer to keys by these names. */
function toKeyNames({ keys }: Extract<AppOptions["auth"], { readonly type: "keys" }>): Finding {
  const names = Array.from(new Set(keys.map(({ name }) => name)));
  return { subject: "API keys", isWell: true, text: names.join(", ") };
}

async function checkStore(options: AppOptions["store"], needsVectors: boolean): Promise<readonly Finding[]> {
  const subject = "store";
  if (options.type === "none") return [{ subject, isWell: true, text: "none: CHAT_STORE_ENABLED is false" }];
  if (options.type === "supabase" && options.supabase.usesCallerToken)
    return [await checkReducedStore(options)];
  try {
    const database = await openDatabase(options, systemClock, () => {});
    try {
      await database.opened;
      return await checkDatabase(database, options, needsVectors);
    } finally {
      await database.close();
    }
  } catch (error) {
    const trouble = toAppError(error);
    if (trouble.code !== "store_locked") return [toFinding(subject, trouble, options)];
    return [
      {
        subject,
        isWell: true,
        text: `${trouble.message.replace(/;.*/, "")}: check its /readyz, or stop it and run this again`,
      },
    ];
  }
}

/** Checks the journal for queued writes, and for writes that the store has permanently rejected. */
function checkJournal(options: AppOptions["store"]): readonly Finding[] {
  const subject = "journal";
  if (options.type === "none" || (options.type === "supabase" && options.supabase.usesCallerToken)) return [];
  try {
    const { queuedCount, quarantined } = inspectJournals(options.dataDir);
    const waiting = queuedCount === 0 ? "no writes are queued" : `${queuedCount} writes are queued`;
    const fix = "fix the cause, then run `foreword journal retry`";
    return [
      { subject, isWell: true, text: `${waiting} in ${options.dataDir}` },
      ...quarantined.map(({ kind, turnId, conversationId, createdAt, reason }) => ({
        subject,
        isWell: false,
        text: `the ${kind} of turn ${turnId} in conversation ${conversationId}, of ${createdAt}, was permanently rejected: ${reason}`,
        fix,
      })),
    ];
  } catch (error) {
    const { code, message } = toAppError(error);
    const fix = "make DATA_DIR a folder that this user can write to";
    return [{ subject, isWell: false, text: `${code}: ${message}`, fix }];
  }
}

/** Checks that the project responds: the anonymous key allows no other check. */
async function checkReducedStore(options: AppOptions["store"]): Promise<Finding> {
  const store = await openStore(options, systemClock, () => {});
  const trouble = await store.findTrouble(callDeadlineMs);
  if (trouble !== undefined) return toFinding("store", trouble, options);
  return {
    subject: "store",
    isWell: true,
    text: "reduced: the project responds; this key cannot check its functions and grants",
  };
}

async function checkDatabase(
  database: Database,
  options: StoreOptions,
  needsVectors: boolean,
): Promise<readonly Finding[]> {
  const description = await database.call("chat_describe_schema", {}, service);
  const {
    caller,
    tables,
    functions,
    has_vectors: hasVectors,
  } = parse(Description, description, "store_refused");
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
    wellText: string,
    wrongText: string,
  ): Finding =>
    Object.keys(wrong).length === 0
      ? { subject, isWell: true, text: wellText }
      : { subject, isWell: false, text: `${wrongText}: ${toNames(wrong)}`, fix: migrateAdvice };
  return [
    checkVersion(parseSchemaRange(description), caller, options),
    judge(
      "functions",
      wrongFunctions,
      `${Object.keys(functions).length}, for the service only`,
      "wrongly granted",
    ),
    judge(
      "grants",
      closedTables,
      "the service can write, the anonymous role can do nothing",
      "wrongly granted",
    ),
    judge("row security", openTables, `on for ${toNames(tables)}`, "off, or no policy"),
    ...(needsVectors ? [toVectorFinding(hasVectors)] : []),
    await checkIsolation(database, options),
  ];
}

/** Without vectors everything works by words. */
function toVectorFinding(hasVectors: boolean): Finding {
  const subject = "vectors";
  if (hasVectors) return { subject, isWell: true, text: "can be stored" };
  const text = "cannot be stored: documents are found by their words alone";
  return { subject, isWell: true, isWarning: true, text, fix: vectorAdvice.extension };
}

/** Checks the schema's version. An older version that this server can use is fine, but worth upgrading. */
function checkVersion(range: SchemaRange, caller: string, options: StoreOptions): Finding {
  const subject = "schema";
  const usable = chooseVersion(range);
  if (usable === undefined) return toFinding(subject, toSchemaMismatch(range), options);
  const text = `version ${range.version}, connected as ${caller}`;
  if (range.version === schemaVersion) return { subject, isWell: true, text };
  if (range.version > schemaVersion)
    return {
      subject,
      isWell: true,
      text: `${text}; newer than this server's version ${schemaVersion}, which it still serves`,
    };
  return {
    subject,
    isWell: true,
    text: `${text}; older than this server's version ${schemaVersion}: features that need it are off`,
    fix: migrateAdvice,
  };
}

function toNames(record: Readonly<Record<string, unknown>>): string {
  return Object.keys(record).join(", ");
}

/** Becomes a user who does not exist, inside a function, as every read becomes its user. */
async function checkIsolation(database: Database, options: StoreOptions): Promise<Finding> {
  const subject = "isolation";
  try {
    const caller = { userId: stranger, accessToken: undefined };
    const result = await database.call("chat_list_visible_tables", {}, caller);
    const tables = parse(z.array(z.string()), result, "store_refused").join(", ");
    if (tables === "") return { subject, isWell: true, text: "a stranger sees nothing" };
    return {
      subject,
      isWell: false,
      text: `a stranger sees ${tables}`,
      fix: `drop the policies on ${tables} that Foreword did not create`,
    };
  } catch (error) {
    return toFinding(subject, toAppError(error), options);
  }
}

/** Advice that messages end with, for the log; here it has its own line. */
const toldAdvice = /; (?:set|add|remove|connect by) .*$/;

function toFinding(subject: string, error: AppError, options: StoreOptions): Finding {
  const { code, message } = error;
  return {
    subject,
    isWell: false,
    text: `${code}: ${message.replace(toldAdvice, "")}`,
    fix: toStoreAdvice(error, options),
  };
}
