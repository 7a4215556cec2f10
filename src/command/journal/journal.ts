/** `foreword journal`: shows the writes that wait on this machine, retries rejected ones, and saves them. */
import { setTimeout as delay } from "node:timers/promises";
import type { AppOptions } from "../../app.ts";
import { createTextCensor } from "../../observe/logger.ts";
import { toPrintable } from "../../observe/printable.ts";
import {
  findRelease,
  listJournals,
  readWrites,
  releaseQuarantined,
  type ReleasedWrite,
} from "../../store/journal/inspect.ts";
import type { QuarantinedWrite } from "../../store/journal/write.ts";
import { MoveProblem } from "../../store/moving/move-problem.ts";
import { openExportFile } from "../moving/export-file.ts";
import { Terminal } from "../terminal.ts";

/** How long a running server may take to notice released writes and to try them, in milliseconds. */
const maxWaitMs = 15_000;
const pollMs = 100;

/** What to do with the journals; `file` may be `-`, the standard output. */
export type JournalAction =
  | { readonly type: "list" | "retry" }
  | { readonly type: "save"; readonly file: string };

/** The configuration whose journals they are. */
export interface JournalOptions {
  readonly app: Pick<AppOptions, "store">;
  readonly secrets: readonly string[];
}

/**
 * Shows, retries or saves the writes in the journals of `DATA_DIR`, while its servers run or not. Resolves
 * with the exit code.
 * @throws AppError with a `store_…` code.
 */
export async function runJournal(
  action: JournalAction,
  { app: { store }, secrets }: JournalOptions,
): Promise<number> {
  const clean = createTextCensor(secrets);
  // Saved writes may go to the standard output.
  const terminal = new Terminal(process.stdout, process.stderr);
  const print = async (line: string): Promise<void> => await terminal.print(toPrintable(clean(line)));
  if (store.type === "none" || (store.type === "supabase" && store.supabase.usesCallerToken)) {
    await terminal.tell("There is no journal with these settings.");
    return 1;
  }
  switch (action.type) {
    case "list":
      return await list(store.dataDir, print);
    case "retry":
      return await retry(store.dataDir, print);
    case "save":
      return await save(store.dataDir, action.file, terminal);
  }
}

type Print = (line: string) => Promise<void>;

async function list(dataDir: string, print: Print): Promise<number> {
  const journals = listJournals(dataDir);
  if (journals.length === 0) await print(`There is no journal in ${dataDir}.`);
  for (const { path, holder, queuedCount, queuedSince, quarantined, sizeBytes } of journals) {
    const parts = [
      ...(queuedSince === undefined ? [] : [`${countWrites(queuedCount)} waiting since ${queuedSince}`]),
      ...(quarantined.length === 0 ? [] : [`${countWrites(quarantined.length)} rejected`]),
    ];
    const state = parts.length === 0 ? "nothing waits" : parts.join(", ");
    const size = `${(sizeBytes / 2 ** 20).toFixed(1)} MiB`;
    await print(`${holder ?? "no running process"}: ${state}; ${size} in ${path}`);
    for (const write of quarantined) await print(`  ${describe(write)}: ${write.reason}`);
  }
  return 0;
}

async function retry(dataDir: string, print: Print): Promise<number> {
  const released = releaseQuarantined(dataDir);
  if (released.length === 0) {
    await print("No write is rejected.");
    return 0;
  }
  const tried = released.filter(({ isHeld }) => isHeld);
  const untried = released.length - tried.length;
  if (untried > 0)
    await print(`${countWrites(untried)} of ended processes, for the next server with this DATA_DIR to try`);
  if (tried.length === 0) return 0;
  const waiting = await untilTried(tried);
  const reasons = tried.flatMap((write) => {
    const found = findRelease(write);
    return typeof found === "string" ? [] : [found.reason];
  });
  const storedCount = tried.length - reasons.length - waiting;
  if (storedCount > 0) await print(`${countWrites(storedCount)} stored`);
  if (waiting > 0) await print(`${countWrites(waiting)} waiting for the database: GET /readyz tells why`);
  if (reasons.length > 0) await print(`${countWrites(reasons.length)} rejected again:`);
  for (const reason of new Set(reasons)) await print(`  ${reason}`);
  return storedCount === tried.length ? 0 : 1;
}

/** Resolves with how many of the writes have not been tried when the time is over. */
async function untilTried(writes: readonly ReleasedWrite[]): Promise<number> {
  const endsAtMs = performance.now() + maxWaitMs;
  for (;;) {
    const count = writes.filter((write) => findRelease(write) === "queued").length;
    if (count === 0 || performance.now() > endsAtMs) return count;
    await delay(pollMs);
  }
}

async function save(dataDir: string, path: string, terminal: Terminal): Promise<number> {
  try {
    const file = await openExportFile(path);
    let count = 0;
    try {
      for (const write of readWrites(dataDir)) {
        await file.write(`${JSON.stringify(write)}\n`);
        count += 1;
      }
      await file.keep();
    } finally {
      await file.close();
    }
    await terminal.tell(`${countWrites(count)} saved to ${path}; the journal keeps them.`);
    return 0;
  } catch (error) {
    if (!(error instanceof MoveProblem)) throw error;
    await terminal.tell(`foreword journal: ${error.message}`);
    return 1;
  }
}

/** Names a write by its turn. */
function describe({ kind, turnId, conversationId, userId, createdAt }: QuarantinedWrite): string {
  const user = userId === undefined ? "" : `, of user ${userId}`;
  return `the ${kind} of turn ${turnId} in conversation ${conversationId}${user}, of ${createdAt}`;
}

function countWrites(count: number): string {
  return count === 1 ? "1 write" : `${count} writes`;
}
