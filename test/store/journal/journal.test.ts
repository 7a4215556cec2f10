/**
 * The journal's promises: no acknowledged write is lost, order is kept, dead processes' journals are adopted.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, rmSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { AppError } from "../../../src/base/errors.ts";
import { inspectJournals } from "../../../src/store/journal/inspect.ts";
import type { JournalWrite } from "../../../src/store/journal/write.ts";
import { Journal } from "../../../src/store/journal/journal.ts";
import { makeFolder } from "../../support/apps/start-app.ts";

const roomyBytes = 64 * 1024 * 1024;
const unavailable = { name: "AppError", code: "store_unavailable" };

/** A data folder, removed after the test. */
async function makeDataDir(context: TestContext): Promise<string> {
  const folder = await makeFolder();
  context.after(() => folder.remove());
  return folder.path;
}

async function openJournal(context: TestContext, dataDir: string, maxBytes = roomyBytes): Promise<Journal> {
  const journal = await Journal.open(dataDir, maxBytes);
  context.after(() => journal.close());
  return journal;
}

function makeWrite(more: Partial<JournalWrite> = {}): JournalWrite {
  const ids = { turnId: randomUUID(), conversationId: randomUUID(), userId: randomUUID() };
  return { kind: "begin", ...ids, toArgument: () => '{"text":"Hi"}', ...more };
}

function listTurns(journal: Journal): readonly string[] {
  return Array.from(journal.queue.values(), ({ turnId }) => turnId);
}

function toFile(dataDir: string, owner: string): string {
  return join(dataDir, "journal", owner, "journal.sqlite");
}

const journalUrl = new URL("../../../src/store/journal/journal.ts", import.meta.url).href;

/**
 * Runs a process that opens the journal and keeps appending writes, eight at a time, each with a piece,
 * reporting each acknowledgement; it is killed after `count` of them. Resolves with its owner id and the
 * acknowledged turns.
 */
async function killWhileAppending(
  dataDir: string,
  count: number,
): Promise<{ readonly owner: string; readonly told: readonly string[] }> {
  const script = `
    import { Journal } from ${JSON.stringify(journalUrl)};
    const journal = await Journal.open(${JSON.stringify(dataDir)}, ${roomyBytes});
    console.log(journal.owner);
    let last = 0;
    async function appendWithoutEnd() {
      for (;;) {
        const turnId = "turn " + (last += 1);
        const write = { kind: "end", turnId, conversationId: "c", userId: undefined, toArgument: () => JSON.stringify(turnId) };
        await Promise.all([journal.append(write), journal.appendPieces([{ turnId, position: 0, text: turnId }])]);
        console.log(turnId);
      }
    }
    await Promise.all(Array.from({ length: 8 }, appendWithoutEnd));
  `;
  const child = spawn(process.execPath, ["-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === count + 1) child.kill("SIGKILL");
  }
  const [owner = "", ...told] = lines;
  return { owner, told };
}

describe("Journal", () => {
  test("keeps appended writes, their order and its owner id across a close", async (context) => {
    const dataDir = await makeDataDir(context);
    const first = await openJournal(context, dataDir);
    const begin = makeWrite({ userId: undefined });
    const end = makeWrite({ ...begin, kind: "end", toArgument: () => '{"text":"\\ud83d \\u0000 é"}' });
    const appended = await Promise.all([first.append(begin), first.append(makeWrite()), first.append(end)]);
    await first.remove(appended[1].id);
    await first.close();

    const second = await openJournal(context, dataDir);
    assert.equal(second.owner, first.owner);
    assert.deepEqual(second.owners, [first.owner]);
    assert.deepEqual(Array.from(second.queue.values()), [appended[0], appended[2]]);
    assert.deepEqual(Array.from(second.queue.keys()), [appended[0].id, appended[2].id]);
    assert.equal(await second.read(appended[2].id), end.toArgument());
    assert.ok(second.holdsConversation(begin.conversationId));
    assert.equal(second.brokenFile, undefined);
  });

  test("keeps its owner id when empty, and never reuses the id of a removed write", async (context) => {
    const dataDir = await makeDataDir(context);
    const first = await openJournal(context, dataDir);
    const { id } = await first.append(makeWrite());
    await first.remove(id);
    await first.close();
    const second = await openJournal(context, dataDir);
    assert.equal(second.owner, first.owner);
    assert.equal(second.queue.size, 0);
    assert.ok((await second.append(makeWrite())).id > id);
  });

  test("finds every acknowledged write and piece of a killed process", async (context) => {
    const dataDir = await makeDataDir(context);
    const { owner, told } = await killWhileAppending(dataDir, 200);
    assert.ok(told.length >= 200);
    assert.ok(inspectJournals(dataDir).queuedCount >= told.length, "a dead process's file can be inspected");

    const journal = await openJournal(context, dataDir);
    assert.equal(journal.owner, owner);
    const found = listTurns(journal);
    assert.deepEqual(new Set(told).difference(new Set(found)), new Set());
    assert.deepEqual(
      found,
      Array.from(found.keys(), (index) => `turn ${index + 1}`),
      "none is missing in between",
    );
    const pieceTurns = new Set(await journal.listPieceTurns());
    assert.deepEqual(new Set(told).difference(pieceTurns), new Set());
    for (const { id, turnId } of journal.queue.values()) {
      assert.equal(await journal.read(id), JSON.stringify(turnId));
    }
  });

  test("counts a write as held as soon as it is requested, and lists it in the queue once it is on disk", async (context) => {
    const journal = await openJournal(context, await makeDataDir(context));
    const write = makeWrite();
    const { turnId, conversationId, userId = "" } = write;
    const appending = journal.append(write);
    assert.ok(
      journal.holdsTurn(turnId) && journal.holdsConversation(conversationId) && journal.holdsUser(userId),
    );
    assert.equal(journal.queue.size, 0);
    const { id } = await appending;
    assert.equal(journal.queue.get(id)?.turnId, turnId);

    const end = await journal.append({ ...write, kind: "end" });
    await journal.remove(id);
    assert.ok(journal.holdsTurn(turnId), "the end still waits");
    await journal.remove(end.id);
    await journal.remove(end.id);
    assert.ok(!journal.holdsTurn(turnId) && !journal.holdsConversation(conversationId));
    assert.ok(!journal.holdsUser(userId));
  });

  test("commits a thousand appends of one tick together, in the order of the requests", async (context) => {
    const dataDir = await makeDataDir(context);
    const first = await openJournal(context, dataDir);
    const writes = Array.from({ length: 1_000 }, () => makeWrite());
    const appended = await Promise.all(writes.map((write) => first.append(write)));
    // Each commit rewrites its pages: separate commits would write about ten times as much.
    assert.ok(statSync(`${toFile(dataDir, first.owner)}-wal`).size < 1024 * 1024);
    await first.close();
    const second = await openJournal(context, dataDir);
    assert.deepEqual(
      listTurns(second),
      writes.map(({ turnId }) => turnId),
    );
    assert.deepEqual(
      Array.from(second.queue.keys()),
      appended.map(({ id }) => id),
    );
  });

  test("a failed operation does not fail others of the same tick", async (context) => {
    const dataDir = await makeDataDir(context);
    const first = await openJournal(context, dataDir);
    const [before, broken, tooLarge, after] = await Promise.allSettled([
      first.append(makeWrite()),
      first.appendPieces([
        { turnId: "t", position: 0, text: "undone with the other" },
        { turnId: "t", position: 0.5, text: "not at a place" },
      ]),
      first.append(makeWrite({ toArgument: () => JSON.stringify("x".repeat(roomyBytes)) })),
      first.append(makeWrite()),
    ]);
    assert.ok(broken.status === "rejected" && broken.reason instanceof AppError);
    assert.equal(tooLarge.status, "rejected");
    assert.ok(before.status === "fulfilled" && after.status === "fulfilled");
    await first.close();
    const second = await openJournal(context, dataDir);
    assert.deepEqual(Array.from(second.queue.values()), [before.value, after.value]);
    assert.deepEqual(await second.listPieceTurns(), []);
  });

  test("refuses begins, then pieces, then ends as it fills up, and accepts them again once there is room", async (context) => {
    const journal = await openJournal(context, await makeDataDir(context), 512 * 1024);
    const argument = JSON.stringify("x".repeat(4_000));
    async function fill(add: () => Promise<unknown>): Promise<number> {
      for (let count = 0; ; count += 1) {
        const [added] = await Promise.allSettled([add()]);
        if (added.status === "fulfilled") continue;
        assert.match(String(added.reason), /^AppError: the journal in .*: it is full: /);
        return count;
      }
    }
    let position = 0;
    const addPiece = () => journal.appendPieces([{ turnId: "t", position: (position += 1), text: argument }]);
    assert.ok((await fill(() => journal.append(makeWrite({ toArgument: () => argument })))) > 50);
    assert.ok((await fill(addPiece)) > 0);
    assert.ok((await fill(() => journal.append(makeWrite({ kind: "end", toArgument: () => argument })))) > 0);

    const refused = makeWrite({ kind: "end", toArgument: () => argument });
    await assert.rejects(journal.append(refused), unavailable);
    assert.ok(!journal.holdsTurn(refused.turnId) && !journal.holdsConversation(refused.conversationId));

    const [oldest, ...others] = journal.queue.keys();
    assert.ok(oldest !== undefined);
    await journal.quarantine(oldest, "x".repeat(1_000));
    for (const id of others.slice(0, 4)) await journal.remove(id);
    await journal.append(refused);
    await assert.rejects(journal.append(makeWrite()), unavailable, "a begin needs more room");
    for (const id of others.slice(4)) await journal.remove(id);
    await journal.append(makeWrite({ toArgument: () => argument }));
    await addPiece();
  });

  test("quarantines rejected writes until the next start; inspectJournals lists them while the journal is open", async (context) => {
    const dataDir = await makeDataDir(context);
    assert.deepEqual(inspectJournals(dataDir), { queuedCount: 0, quarantined: [] });
    const first = await openJournal(context, dataDir);
    const [refused, waiting] = await Promise.all([first.append(makeWrite()), first.append(makeWrite())]);
    await first.quarantine(refused.id, "no such conversation");
    await first.quarantine(refused.id, "the first reason stays");
    await first.remove(refused.id);
    assert.deepEqual(Array.from(first.queue.values()), [waiting]);
    assert.ok(!first.holdsTurn(refused.turnId));
    assert.equal(first.quarantinedCount, 1);
    const found = inspectJournals(dataDir);
    assert.equal(found.queuedCount, 1);
    const [{ createdAt } = { createdAt: "" }] = found.quarantined;
    const { owner } = first;
    assert.deepEqual(found.quarantined, [{ ...refused, reason: "no such conversation", owner, createdAt }]);
    assert.equal(new Date(createdAt).toISOString(), createdAt);
    await first.close();

    const second = await openJournal(context, dataDir);
    assert.equal(second.quarantinedCount, 0);
    assert.deepEqual(Array.from(second.queue.values()), [refused, waiting]);
  });

  test("two at once have separate folders, and the survivor adopts the folder of the dead one", async (context) => {
    const dataDir = await makeDataDir(context);
    const survivor = await openJournal(context, dataDir);
    const { owner, told } = await killWhileAppending(dataDir, 20);
    assert.notEqual(owner, survivor.owner);
    const third = await openJournal(context, dataDir);
    assert.equal(third.owner, owner);
    await third.quarantine(third.queue.keys().next().value ?? 0, "no");
    const left = listTurns(third);
    const own = await survivor.append(makeWrite());
    assert.equal(await survivor.adopt(), false, "the third lives");
    await third.close();

    const adopting = survivor.adopt();
    const later = await survivor.append(makeWrite());
    assert.equal(await adopting, true);
    assert.deepEqual(listTurns(survivor), [own.turnId, ...left, later.turnId]);
    assert.deepEqual(
      Array.from(survivor.queue.keys()),
      Array.from(survivor.queue.keys()).toSorted((a, b) => a - b),
    );
    assert.deepEqual(survivor.owners, [survivor.owner, owner]);
    assert.ok(survivor.holdsTurn(left[0] ?? ""));
    assert.equal(survivor.quarantinedCount, 1);
    assert.deepEqual(new Set(told).difference(new Set(await survivor.listPieceTurns())), new Set());
    assert.deepEqual(readdirSync(join(dataDir, "journal")), [survivor.owner]);
    assert.equal(await survivor.adopt(), false);
  });

  test("a new one claims one dead folder, adopts all others and leaves other names alone", async (context) => {
    const dataDir = await makeDataDir(context);
    const journals = [];
    for (let count = 0; count < 3; count += 1) journals.push(await openJournal(context, dataDir));
    const writes = await Promise.all(journals.map((journal) => journal.append(makeWrite())));
    for (const journal of journals) await journal.close();
    writeFileSync(join(dataDir, "journal", "notes.txt"), "not a journal");

    const journal = await openJournal(context, dataDir);
    assert.deepEqual(journal.owners, journals.map(({ owner }) => owner).toSorted());
    assert.equal(journal.owner, journal.owners[0]);
    assert.deepEqual(listTurns(journal).toSorted(), writes.map(({ turnId }) => turnId).toSorted());
    assert.deepEqual(
      readdirSync(join(dataDir, "journal")).toSorted(),
      [journal.owner, "notes.txt"].toSorted(),
    );
    assert.equal(statSync(join(dataDir, "journal", journal.owner)).mode & 0o777, 0o700);
  });

  test("does not adopt a folder twice when a crash left it behind after its adoption", async (context) => {
    const dataDir = await makeDataDir(context);
    const survivor = await openJournal(context, dataDir);
    const dead = await openJournal(context, dataDir);
    const write = await dead.append(makeWrite());
    await dead.close();
    const file = readFileSync(toFile(dataDir, dead.owner));
    await survivor.adopt();
    const other = await openJournal(context, dataDir);
    await other.close();
    writeFileSync(toFile(dataDir, other.owner), file);
    assert.equal(await survivor.adopt(), true);
    assert.deepEqual(listTurns(survivor), [write.turnId]);
  });

  test("sets a corrupt file aside, reports its new path, and starts a new one", async (context) => {
    const dataDir = await makeDataDir(context);
    const first = await openJournal(context, dataDir);
    await first.append(makeWrite());
    await first.close();
    const file = toFile(dataDir, first.owner);
    const garbage = "no database ".repeat(1_000);
    writeFileSync(file, garbage);

    const second = await openJournal(context, dataDir);
    assert.equal(second.owner, first.owner);
    assert.match(second.brokenFile ?? "", /journal\.sqlite\.broken-[\dTZ.-]+$/);
    assert.equal(readFileSync(second.brokenFile ?? "", "utf8"), garbage);
    assert.equal(second.queue.size, 0);
    const write = await second.append(makeWrite());
    await second.close();
    assert.deepEqual(listTurns(await openJournal(context, dataDir)), [write.turnId]);
  });

  test("sets a file aside in which only a page in the middle is corrupt", async (context) => {
    const dataDir = await makeDataDir(context);
    const first = await openJournal(context, dataDir);
    await Promise.all(Array.from({ length: 100 }, () => first.append(makeWrite())));
    await first.close();
    const file = toFile(dataDir, first.owner);
    const bytes = readFileSync(file);
    bytes.fill(0xff, bytes.length - 8_192, bytes.length - 4_096);
    writeFileSync(file, bytes);
    const second = await openJournal(context, dataDir);
    assert.ok(existsSync(second.brokenFile ?? ""));
    assert.equal(second.queue.size, 0);
  });

  test("keeps a dead process's corrupt file when it adopts the folder", async (context) => {
    const dataDir = await makeDataDir(context);
    const survivor = await openJournal(context, dataDir);
    const dead = await openJournal(context, dataDir);
    await dead.close();
    writeFileSync(toFile(dataDir, dead.owner), "no database ".repeat(1_000));
    assert.equal(await survivor.adopt(), true);
    assert.deepEqual(survivor.owners, [survivor.owner, dead.owner]);
    assert.ok(survivor.brokenFile?.startsWith(toFile(dataDir, dead.owner)));
    assert.ok(existsSync(survivor.brokenFile ?? ""));
    assert.ok(!existsSync(toFile(dataDir, dead.owner)), "nobody claims it again");
    assert.deepEqual(inspectJournals(dataDir), { queuedCount: 0, quarantined: [] });
  });

  test("reports a folder that cannot be adopted, and adopts the others", async (context) => {
    const dataDir = await makeDataDir(context);
    const survivor = await openJournal(context, dataDir);
    const dead = [await openJournal(context, dataDir), await openJournal(context, dataDir)];
    const [unusable, usable] = dead.toSorted((one, other) => one.owner.localeCompare(other.owner));
    assert.ok(unusable !== undefined && usable !== undefined);
    const write = await usable.append(makeWrite());
    for (const journal of dead) await journal.close();
    rmSync(toFile(dataDir, unusable.owner));
    mkdirSync(toFile(dataDir, unusable.owner));
    await assert.rejects(survivor.adopt(), unavailable);
    assert.deepEqual(survivor.owners, [survivor.owner, usable.owner]);
    assert.deepEqual(listTurns(survivor), [write.turnId]);
    assert.ok(existsSync(toFile(dataDir, unusable.owner)));
  });

  test("rejects if the folder cannot be used", async (context) => {
    const dataDir = await makeDataDir(context);
    writeFileSync(join(dataDir, "journal"), "a file");
    await assert.rejects(Journal.open(dataDir, roomyBytes), unavailable);
    assert.throws(() => inspectJournals(dataDir), unavailable);
  });

  test("keeps the longer of two pieces at the same position, sorted by position", async (context) => {
    const dataDir = await makeDataDir(context);
    const first = await openJournal(context, dataDir);
    await first.appendPieces([]);
    await first.appendPieces([
      { turnId: "a", position: 10, text: "a later piece" },
      { turnId: "b", position: 0, text: "of another turn" },
      { turnId: "a", position: 0, text: "half a pair: \ud83d" },
    ]);
    await first.appendPieces([
      { turnId: "a", position: 0, text: "half a pair: \ud83d\ude00" },
      { turnId: "a", position: 10, text: "shorter" },
      { turnId: "a", position: 30, text: "\0 \ude00" },
    ]);
    await first.close();
    const second = await openJournal(context, dataDir);
    assert.deepEqual(await second.readPieces("a"), [
      { turnId: "a", position: 0, text: "half a pair: \ud83d\ude00" },
      { turnId: "a", position: 10, text: "a later piece" },
      { turnId: "a", position: 30, text: "\0 \ude00" },
    ]);
    assert.deepEqual((await second.listPieceTurns()).toSorted(), ["a", "b"]);
    await second.removePieces("a");
    assert.deepEqual(await second.readPieces("a"), []);
    assert.deepEqual(await second.listPieceTurns(), ["b"]);
  });

  test("completes earlier requests at a close, and rejects later ones", async (context) => {
    const dataDir = await makeDataDir(context);
    const first = await openJournal(context, dataDir);
    const writes = [first.append(makeWrite()), first.append(makeWrite())];
    await Promise.all([first.close(), first.close()]);
    const appended = await Promise.all(writes);
    const late = makeWrite();
    await assert.rejects(first.append(late), unavailable);
    assert.ok(!first.holdsTurn(late.turnId));
    assert.deepEqual(Array.from((await openJournal(context, dataDir)).queue.values()), appended);
  });

  test("rejects pending and new requests when its thread dies, and can still be closed", async (context) => {
    const dataDir = await makeDataDir(context);
    const started = once(process, "worker");
    const journal = await openJournal(context, dataDir);
    const [thread] = await started;
    assert.ok(thread instanceof Worker);
    const ending = thread.terminate();
    const waiting = makeWrite();
    await assert.rejects(journal.append(waiting), unavailable);
    assert.ok(!journal.holdsTurn(waiting.turnId));
    await ending;
    await assert.rejects(journal.append(makeWrite()), unavailable);
    await journal.close();
    const next = await openJournal(context, dataDir);
    assert.equal(next.owner, journal.owner);
  });
});
