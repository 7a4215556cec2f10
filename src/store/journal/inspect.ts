/** The journals of a data folder as an operator sees them, whether their processes run or not. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { findHolder } from "../data-folder.ts";
import { claimDeadFolder, listOwners, QueuedRow, toJournalFailure, toJournalPath } from "./folder.ts";
import { busyTimeoutMs, journalFileName, queuedColumns, type QuarantinedWrite } from "./write.ts";

const QuarantinedRow = QueuedRow.extend({ reason: z.string(), createdAt: z.string() });
const QueuedState = z.object({ count: z.number(), oldest: z.string().nullable() });
const StoredRow = QueuedRow.extend({
  createdAt: z.string(),
  reason: z.string().nullable(),
  argument: z.string().transform((text): unknown => JSON.parse(text)),
});
const ReleasedRows = z.array(z.object({ id: z.number() }));
const ReasonRow = z.object({ reason: z.string().nullable() }).optional();

const quarantinedColumns = `${queuedColumns}, reason, created_at as "createdAt"`;

/** The journal of one process. */
interface JournalContents {
  readonly path: string;
  /** The process that has it open, as a phrase; `undefined` if it has ended. */
  readonly holder: string | undefined;
  readonly queuedCount: number;
  /** When the oldest queued write was appended, ISO 8601. */
  readonly queuedSince: string | undefined;
  readonly quarantined: readonly QuarantinedWrite[];
  /** The size of its files. */
  readonly sizeBytes: number;
}

/** A write of a journal with all that it writes; `reason` says why it is quarantined, `null` if it is not. */
export type StoredWrite = z.output<typeof StoredRow> & { readonly owner: string };

/** A quarantined write that is queued again. */
export interface ReleasedWrite {
  readonly id: number;
  readonly path: string;
  /** Whether a running process has it. */
  readonly isHeld: boolean;
}

/**
 * The journals in `dataDir`, of running processes or not.
 * @throws AppError `store_unavailable` if one cannot be read.
 */
export function listJournals(dataDir: string): readonly JournalContents[] {
  return listOwners(dataDir).flatMap((owner) => {
    const path = toJournalPath(dataDir, owner);
    const read = useFile(path, "ro", (database): JournalContents => {
      const queued = database.prepare(
        "select count(*) as count, min(created_at) as oldest from write where reason is null",
      );
      const quarantined = database.prepare(
        `select ${quarantinedColumns} from write where reason is not null order by id`,
      );
      const { count: queuedCount, oldest } = QueuedState.parse(queued.get());
      return {
        path,
        holder: findHolder(path),
        queuedCount,
        queuedSince: oldest ?? undefined,
        quarantined: quarantined.all().map((row) => ({ ...QuarantinedRow.parse(row), owner })),
        sizeBytes: findSize(path),
      };
    });
    return read ?? [];
  });
}

/**
 * The queued and quarantined writes in all journals of `dataDir`, dead or alive.
 * @throws AppError `store_unavailable` if one cannot be read.
 */
export function inspectJournals(dataDir: string): {
  readonly queuedCount: number;
  readonly quarantined: readonly QuarantinedWrite[];
} {
  const journals = listJournals(dataDir);
  return {
    queuedCount: journals.reduce((sum, { queuedCount }) => sum + queuedCount, 0),
    quarantined: journals.flatMap(({ quarantined }) => quarantined),
  };
}

/**
 * Yields every write of the journals in `dataDir`, in the order of each journal.
 * @throws AppError `store_unavailable` if one cannot be read.
 */
export function* readWrites(dataDir: string): Generator<StoredWrite> {
  for (const owner of listOwners(dataDir)) {
    const path = toJournalPath(dataDir, owner);
    if (!existsSync(join(path, journalFileName))) continue;
    let database: DatabaseSync | undefined;
    try {
      database = openFile(path, "ro");
      const rows = database.prepare(`select ${quarantinedColumns}, argument from write order by id`);
      for (const row of rows.iterate()) yield { ...StoredRow.parse(row), owner };
    } catch (error) {
      throw toJournalFailure(path, error);
    } finally {
      database?.close();
    }
  }
}

/**
 * Queues all quarantined writes in `dataDir` again. A running process notices that within some seconds; that
 * of another is taken over, or starts with them.
 * @throws AppError `store_unavailable` if a journal cannot be written.
 */
export function releaseQuarantined(dataDir: string): readonly ReleasedWrite[] {
  return listOwners(dataDir).flatMap((owner) => {
    // Nothing takes the journal of a dead process over meanwhile.
    const dead = claimDeadFolder(dataDir, owner);
    try {
      const path = toJournalPath(dataDir, owner);
      const released = useFile(path, "rw", (database) =>
        ReleasedRows.parse(
          database.prepare("update write set reason = null where reason is not null returning id").all(),
        ),
      );
      return (released ?? []).map(({ id }) => ({ id, path, isHeld: dead === undefined }));
    } finally {
      dead?.lock.release();
    }
  });
}

/** Returns the reason for which the write is quarantined again, or whether it is stored or still queued. */
export function findRelease({ path, id }: ReleasedWrite): "stored" | "queued" | { readonly reason: string } {
  const row = useFile(path, "ro", (database) =>
    ReasonRow.parse(database.prepare("select reason from write where id = ?").get(id)),
  );
  if (row === undefined) return "stored";
  return row.reason === null ? "queued" : { reason: row.reason };
}

/** Returns what `use` returns for the journal in `path`; `undefined` if it has been taken over. */
function useFile<Result>(
  path: string,
  mode: "ro" | "rw",
  use: (database: DatabaseSync) => Result,
): Result | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = openFile(path, mode);
    return use(database);
  } catch (error) {
    if (!existsSync(join(path, journalFileName))) return undefined;
    throw toJournalFailure(path, error);
  } finally {
    database?.close();
  }
}

/** Opens the file of a journal, and creates none. */
function openFile(path: string, mode: "ro" | "rw"): DatabaseSync {
  const url = pathToFileURL(join(path, journalFileName));
  url.searchParams.set("mode", mode);
  return new DatabaseSync(url, { timeout: busyTimeoutMs });
}

function findSize(path: string): number {
  return ["", "-wal", "-shm"].reduce((sum, suffix) => {
    const found = statSync(join(path, journalFileName + suffix), { throwIfNoEntry: false });
    return sum + (found?.size ?? 0);
  }, 0);
}
