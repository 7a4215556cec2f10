/** The rows of a running server's database, for a backup: all that it had accepted when the backup began. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { constants, getPriority, setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { z } from "zod";
import type { Clock } from "../../base/clock.ts";
import { toAppError } from "../../base/errors.ts";
import { lockFolder } from "../../store/data-folder.ts";
import { inspectJournals } from "../../store/journal/inspect.ts";
import { copyFolder } from "../../store/moving/copy-folder.ts";
import { MoveProblem } from "../../store/moving/move-problem.ts";
import { openEmbeddedRows, type RowSession } from "../../store/moving/row-session.ts";
import { ControlClient, ControlError } from "../control/control-client.ts";
import type { ControlRequest } from "../control/control-socket.ts";
import type { Terminal } from "../terminal.ts";

/** How long queued writes may take to reach the database, in milliseconds, and how often to look. */
const queueTimeoutMs = 30_000;
const queueLookMs = 50;
/** How long a step of a copy may take the server, in milliseconds. */
const stepTimeoutMs = 60_000;

/** V8 must not optimize the database's code: that would take 600 MB more, beside a server. */
const plainCode = ["--no-wasm-tier-up", "--no-wasm-dynamic-tiering"];
const lowPriority = constants.priority.PRIORITY_BELOW_NORMAL;

const End = z.object({ label: z.string(), lastLogFile: z.string() });

/** The folder whose journals are watched, and what a command needs. */
interface QueueOptions {
  readonly store: { readonly dataDir: string };
  readonly terminal: Pick<Terminal, "tell">;
  readonly signal: AbortSignal;
}

/** The same, and the options of the embedded database. */
interface RunningOptions extends QueueOptions {
  readonly store: { readonly dataDir: string } & Omit<Parameters<typeof openEmbeddedRows>[1], "folder">;
  readonly terminal: Terminal;
}

/**
 * Copies the embedded database of the running server to a folder of its own, and opens the copy; closing it
 * deletes the folder. `undefined` if no server runs.
 * @throws MoveProblem if no copy can be made, or the server ends meanwhile.
 */
export async function openRunning(options: RunningOptions, clock: Clock): Promise<RowSession | undefined> {
  const { store } = options;
  const server = await ControlClient.connect(store.dataDir);
  if (server === undefined) return undefined;
  try {
    // Turns come first. A higher priority than its own is not this process's to take.
    if (getPriority() < lowPriority) setPriority(lowPriority);
    await untilQueueEmpty(options, clock);
    return await openCopy(options, server);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    throw new MoveProblem(`The server did not let its database be copied: ${error.message}. Try again.`);
  } finally {
    server.close();
  }
}

/**
 * Resolves once no write waits in the journals of the store.
 * @throws MoveProblem if some still do after half a minute; the signal's reason once aborted.
 */
export async function untilQueueEmpty(
  { store: { dataDir }, terminal, signal }: QueueOptions,
  clock: Pick<Clock, "monotonicMs">,
): Promise<void> {
  const endMs = clock.monotonicMs() + queueTimeoutMs;
  for (let isTold = false; ; isTold = true) {
    const { queuedCount } = inspectJournals(dataDir);
    if (queuedCount === 0) return;
    if (!isTold) await terminal.tell(`Waiting until the queued writes are in the database: ${queuedCount} …`);
    if (clock.monotonicMs() >= endMs)
      throw new MoveProblem(
        `The writes in the journal in ${dataDir} do not reach the database (${queuedCount}): \`foreword journal\` shows them, and \`foreword doctor\` why. A backup would lack them.`,
      );
    await delay(queueLookMs, undefined, { signal });
  }
}

/** Deletes the copy that a killed backup has left in `dataDir`, unless another backup is using it. */
export async function deleteLeftCopy(dataDir: string): Promise<void> {
  const place = toPlace(dataDir);
  if (!existsSync(toCopy(place))) return;
  try {
    const lock = lockBackup(place);
    await rm(toCopy(place), { recursive: true, force: true }).finally(() => lock.release());
  } catch (error) {
    if (!(error instanceof MoveProblem)) throw error;
  }
}

function toPlace(dataDir: string): string {
  return join(dataDir, "backup");
}

function toCopy(place: string): string {
  return join(place, "database");
}

async function openCopy(
  { store, terminal, signal }: RunningOptions,
  server: ControlClient,
): Promise<RowSession> {
  const place = toPlace(store.dataDir);
  const lock = lockBackup(place);
  const copy = toCopy(place);
  const clear = async (): Promise<void> => {
    await rm(copy, { recursive: true, force: true });
    lock.release();
  };
  try {
    await rm(copy, { recursive: true, force: true }); // of a backup that was killed
    await copyFolder({
      from: join(store.dataDir, "database", "pglite"),
      to: join(copy, "pglite"),
      copying: {
        start: async () => void (await ask(server, "copy-start", signal)),
        end: async () => End.parse(await ask(server, "copy-end", signal)),
      },
      onProgress: (part) => terminal.show("copying the database", part),
      signal,
    });
    terminal.show("opening the copy");
    for (const flag of plainCode) setFlagsFromString(flag);
    server.close();
    const session = await openEmbeddedRows(place, store);
    return {
      ...session,
      close: async () => await session.close().finally(clear),
    };
  } catch (error) {
    await clear();
    throw error;
  }
}

/** @throws ControlError if the server refuses, ends, or does not respond. */
async function ask(server: ControlClient, request: ControlRequest, signal: AbortSignal): Promise<unknown> {
  const timeout = AbortSignal.timeout(stepTimeoutMs);
  return await server.request(request, AbortSignal.any([signal, timeout])).catch((error: unknown) => {
    if (timeout.aborted && !signal.aborted) throw new ControlError("it does not respond");
    throw error;
  });
}

/** @throws MoveProblem if another backup is being made. */
function lockBackup(place: string): ReturnType<typeof lockFolder> {
  try {
    return lockFolder(place);
  } catch (error) {
    const { code, message } = toAppError(error);
    if (code !== "store_locked") throw error;
    throw new MoveProblem(`Another backup is being made: ${message.replace(/;.*/, "")}.`);
  }
}
