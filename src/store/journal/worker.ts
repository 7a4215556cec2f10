/** The journal's file, in its own thread: each commit waits for the disk. */
import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { joinJson, type JsonText } from "../../base/json/long-json.ts";
import type { Piece } from "../../turn/records.ts";
import { openJournalFile } from "./journal-file.ts";
import { queuedColumns, type WriteHead } from "./write.ts";

/** An operation; the thread receives them in lists. */
export type JournalOperation =
  | { readonly type: "load" | "list-released" | "list-piece-turns" }
  | { readonly type: "append"; readonly write: WriteHead; readonly argument: JsonText }
  | { readonly type: "read" | "remove"; readonly id: number }
  | { readonly type: "quarantine"; readonly id: number; readonly reason: string }
  | { readonly type: "append-pieces"; readonly pieces: readonly Piece[] }
  | { readonly type: "read-pieces" | "remove-pieces"; readonly turnId: string }
  | { readonly type: "adopt"; readonly folder: string };

/** The outcome of an operation: its value, which the journal parses, or why it failed. */
type JournalOutcome = { readonly value: unknown } | { readonly reason: string };

/** A message from the thread: the outcomes of a list, or the new path of a corrupt file. */
export type JournalReply = { readonly outcomes: readonly JournalOutcome[] } | { readonly brokenFile: string };

/**
 * How full a write may make the journal: begins leave room for the text of running turns, and both for ends.
 */
const maxShare = { begin: 0.9, pieces: 0.95, end: 1 } as const;
/** The most that a row takes besides its text: pages of the table, its index and the free list. */
const overheadPages = 5;
const maxReasonCharacters = 1_000;
/**
 * How much of the free space the queued writes of one user may take. One user alone gets half of the journal
 * for begins, two get a third each: however many want too much, the next user still finds room.
 */
const userShare = { begin: 1, end: 2 } as const;

const { folder, maxBytes }: { readonly folder: string; readonly maxBytes: number } = workerData;
/** The bounds of the quarantine in bytes, in addition to the journal's own: for one user, and overall. */
const maxQuarantinedBytes = { user: Math.max(2 ** 18, maxBytes / 64), all: Math.max(2 ** 20, maxBytes / 4) };
const database = openFile(folder);
const findLastId = database.prepare("select coalesce(max(id), 0) as id from write");
const countQuarantined = database.prepare(
  "select count(*) as count from write where id > ? and reason is not null",
);
const listQueued = database.prepare(
  `select ${queuedColumns} from write where id > ? and reason is null order by id`,
);
const insertWrite = database.prepare(
  `insert into write (key, kind, turn_id, conversation_id, user_id, argument, created_at, reason)
   values (:key, :kind, :turn_id, :conversation_id, :user_id, :argument, :created_at, :reason)
   on conflict (key) do nothing`,
);
const readArgument = database.prepare("select argument from write where id = ?");
const deleteWrite = database.prepare("delete from write where id = ? and reason is null");
const quarantineWrite = database.prepare("update write set reason = ? where id = ? and reason is null");
const findUserBytes = database.prepare(
  `select coalesce(sum(octet_length(argument)), 0) as bytes from write
   where coalesce(user_id, conversation_id) = ? and reason is null`,
);
const findQuarantinedBytes = database.prepare(
  "select coalesce(sum(octet_length(argument)), 0) as bytes from write where reason is not null",
);
const findUser = database.prepare(
  "select coalesce(user_id, conversation_id) as user from write where id = ?",
);
/** Deletes the oldest quarantined writes, of a user or overall, beyond `bound`. */
const pruneQuarantined = database.prepare(
  `delete from write where id in (
     select id from (
       select id, sum(octet_length(argument)) over (order by id desc) - octet_length(argument) as newer_bytes,
         sum(octet_length(argument)) over (order by id desc) as bytes
       from write where reason is not null and (:user is null or coalesce(user_id, conversation_id) = :user))
     where newer_bytes > 0 and bytes > :bound)`,
);
const insertPiece = database.prepare(
  `insert into piece (turn_id, position, size, text) values (:turn_id, :position, :size, :text)
   on conflict (turn_id, position) do update set size = excluded.size, text = excluded.text
   where excluded.size > piece.size`,
);
const listPieces = database.prepare("select position, text from piece where turn_id = ? order by position");
/** Reasoning may come again with more text before its end. */
const insertItem = database.prepare(
  `insert into item (turn_id, position, ordinal, item) values (:turn_id, :position, :ordinal, :item)
   on conflict (turn_id, position, ordinal) do update set item = excluded.item
   where length(excluded.item) > length(item.item)`,
);
const listItems = database.prepare("select item from item where turn_id = ? order by position, ordinal");
const listPieceTurns = database.prepare(
  'select turn_id as "turnId" from piece union select turn_id from item',
);
const deletePieces = database.prepare("delete from piece where turn_id = ?");
const deleteItems = database.prepare("delete from item where turn_id = ?");
const findUsed = database.prepare(
  `select (page_count - freelist_count) * page_size as "usedBytes", page_size as "pageBytes"
   from pragma_page_count, pragma_freelist_count, pragma_page_size`,
);

/** Changes with each commit of another process. */
const findVersion = database.prepare("pragma data_version");
let version = findVersion.get()?.["data_version"];

/** Opens the journal of a folder, and reports a corrupt one. */
function openFile(path: string): DatabaseSync {
  const { file, brokenFile } = openJournalFile(path);
  if (brokenFile !== undefined) post({ brokenFile });
  return file;
}

function post(reply: JournalReply): void {
  parentPort?.postMessage(reply);
}

/** The journal is too full for a write; nothing of it was written. */
class JournalFull extends Error {}

/** Returns the free space for such a write, not counting the quarantine, and the size of `text`. */
function ensureRoom(share: number, text: string): { readonly freeBytes: number; readonly sizeBytes: number } {
  const used = findUsed.get();
  const pageBytes = Number(used?.["pageBytes"]);
  const usedBytes = Number(used?.["usedBytes"]) - Number(findQuarantinedBytes.get()?.["bytes"]);
  const freeBytes = Math.floor(maxBytes * share) - usedBytes;
  const sizeBytes = Buffer.byteLength(text) + overheadPages * pageBytes;
  if (sizeBytes <= freeBytes) return { freeBytes, sizeBytes };
  throw new JournalFull(
    `it is full: ${usedBytes} bytes are used, and ${Math.max(0, freeBytes)} are free for such a write`,
  );
}

/** Keeps room for other users, whose first write is accepted as long as there is any space. */
function ensureShare({ kind, conversationId, userId = conversationId }: WriteHead, argument: string): void {
  const { freeBytes, sizeBytes } = ensureRoom(maxShare[kind], argument);
  const userBytes = Number(findUserBytes.get(userId)?.["bytes"]);
  if (userBytes === 0 || userBytes + sizeBytes <= freeBytes * userShare[kind]) return;
  throw new JournalFull(
    `it is full: ${userBytes} bytes of this user are queued, and ${freeBytes} are reserved for others`,
  );
}

function append(head: WriteHead, argument: string): unknown {
  ensureShare(head, argument);
  const { kind, turnId, conversationId, userId } = head;
  const ids = { turn_id: turnId, conversation_id: conversationId, user_id: userId ?? null };
  const created_at = new Date().toISOString();
  return insertWrite.run({ key: randomUUID(), kind, ...ids, argument, created_at, reason: null })
    .lastInsertRowid;
}

function appendPieces(pieces: readonly Piece[]): void {
  ensureRoom(maxShare.pieces, JSON.stringify(pieces));
  for (const { turnId, position, text, items = [] } of pieces) {
    if (text !== "")
      insertPiece.run({ turn_id: turnId, position, size: text.length, text: JSON.stringify(text) });
    for (const item of items) {
      const place = { position: item.position, ordinal: item.ordinal };
      insertItem.run({ turn_id: turnId, ...place, item: JSON.stringify(item) });
    }
  }
}

/** Copies the journal in `path`, without a bound: the original is deleted next. */
function adopt(path: string): unknown {
  const id = Number(findLastId.get()?.["id"]);
  const other = openFile(path);
  try {
    const columns = "key, kind, turn_id, conversation_id, user_id, argument, created_at, reason";
    const writes = other.prepare(`select ${columns} from write order by id`);
    for (const row of writes.iterate()) insertWrite.run(row);
    const pieces = other.prepare("select turn_id, position, size, text from piece");
    for (const row of pieces.iterate()) insertPiece.run(row);
    const items = other.prepare("select turn_id, position, ordinal, item from item");
    for (const row of items.iterate()) insertItem.run(row);
  } finally {
    other.close();
  }
  return listSince(id);
}

/** The queued writes with an id above `id`, and the number of quarantined ones. */
function listSince(id: number): unknown {
  return { writes: listQueued.all(id), quarantined: countQuarantined.get(id) };
}

/** The same after another process has changed the file, as `releaseQuarantined` does; else `null`. */
function listReleased(): unknown {
  const before = version;
  version = findVersion.get()?.["data_version"];
  return version === before ? null : listSince(0);
}

/** Returns how many earlier quarantined writes were dropped. */
function quarantine(id: number, reason: string): { readonly dropped: number } {
  if (quarantineWrite.run(reason.slice(0, maxReasonCharacters), id).changes === 0) return { dropped: 0 };
  const user = String(findUser.get(id)?.["user"]);
  const ofUser = pruneQuarantined.run({ user, bound: maxQuarantinedBytes.user });
  const ofAll = pruneQuarantined.run({ user: null, bound: maxQuarantinedBytes.all });
  return { dropped: Number(ofUser.changes) + Number(ofAll.changes) };
}

/** Does `operation` in the open transaction. */
function run(operation: JournalOperation): unknown {
  switch (operation.type) {
    case "load":
      database.exec("update write set reason = null"); // the reason may have been fixed since
      return listSince(0);
    case "list-released":
      return listReleased();
    case "append":
      return append(operation.write, joinJson(operation.argument));
    case "read":
      return readArgument.get(operation.id);
    case "remove":
      return deleteWrite.run(operation.id);
    case "quarantine":
      return quarantine(operation.id, operation.reason);
    case "append-pieces":
      return appendPieces(operation.pieces);
    case "read-pieces":
      return { pieces: listPieces.all(operation.turnId), items: listItems.all(operation.turnId) };
    case "list-piece-turns":
      return listPieceTurns.all();
    case "remove-pieces":
      deleteItems.run(operation.turnId);
      return deletePieces.run(operation.turnId);
    case "adopt":
      return adopt(operation.folder);
  }
}

function runUnlessFull(operation: JournalOperation): JournalOutcome {
  try {
    return { value: run(operation) };
  } catch (error) {
    if (error instanceof JournalFull) return { reason: error.message };
    throw error;
  }
}

function transact<Result>(work: () => Result): Result {
  database.exec("begin immediate");
  try {
    const result = work();
    database.exec("commit");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("rollback"); // SQLite has already done that after some errors
    throw error;
  }
}

/** Does `operations` in one transaction; if that fails, each in its own. */
function runAll(operations: readonly JournalOperation[]): readonly JournalOutcome[] {
  try {
    return transact(() => operations.map(runUnlessFull));
  } catch {
    return operations.map((operation) => {
      try {
        return transact(() => runUnlessFull(operation));
      } catch (error) {
        return { reason: error instanceof Error ? error.message : String(error) };
      }
    });
  }
}

parentPort?.on("message", (message: readonly JournalOperation[] | "close") => {
  if (message !== "close") return post({ outcomes: runAll(message) });
  database.close();
  parentPort?.close();
});
