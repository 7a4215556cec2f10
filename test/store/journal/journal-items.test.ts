/** Items in a journal: kept like text, in files that earlier versions can open and have written. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { Journal } from "../../../src/store/journal/journal.ts";
import type { Piece } from "../../../src/turn/records.ts";
import type { SavedItem } from "../../../src/turn/turn-event.ts";
import { findMissingHistory, unpackPreviousBuild } from "../../support/apps/previous-build.ts";
import { makeFolder } from "../../support/apps/start-app.ts";

const run = promisify(execFile);
const roomyBytes = 64 * 1024 * 1024;

function think(text: string, ordinal: number): SavedItem {
  return { type: "reasoning-delta", position: 0, ordinal, text };
}

const result: SavedItem = {
  type: "tool-result",
  position: 3,
  ordinal: 1,
  callId: "1",
  status: "complete",
  output: { content: [] },
};

function toPiece(position: number, text: string, ...items: SavedItem[]): Piece {
  return { turnId: "a", position, text, items };
}

const missing = await findMissingHistory();

describe("items in a journal", { timeout: 60_000 }, () => {
  test("are read after the pieces, each place once with the longest text, and removed with them", async (context) => {
    const folder = await makeFolder();
    context.after(() => folder.remove());
    const first = await Journal.open(folder.path, roomyBytes);
    await first.appendPieces([toPiece(0, "", think("hm", 2)), { ...toPiece(0, "", result), turnId: "b" }]);
    await first.appendPieces([toPiece(0, "Hi!", result, think("m", 2))]);
    await first.close();
    const second = await Journal.open(folder.path, roomyBytes);
    context.after(() => second.close());
    assert.deepEqual(await second.readPieces("a"), [
      { turnId: "a", position: 0, text: "Hi!" },
      { turnId: "a", position: 0, text: "", items: [think("hm", 2), result] },
    ]);
    for (const turnId of ["a", "b"]) await second.removePieces(turnId);
    assert.deepEqual([await second.readPieces("b"), await second.listPieceTurns()], [[], []]);
  });

  test("are adopted with the journal of a dead process, also one that an earlier version has written", async (context) => {
    const folder = await makeFolder();
    context.after(() => folder.remove());
    const [first, second] = [
      await Journal.open(folder.path, roomyBytes),
      await Journal.open(folder.path, roomyBytes),
    ];
    await first.appendPieces([toPiece(0, "Hi!", result)]);
    await second.appendPieces([{ turnId: "old", position: 0, text: "Ho" }]);
    await Promise.all([first.close(), second.close()]);
    const file = new DatabaseSync(join(folder.path, "journal", second.owner, "journal.sqlite"));
    file.exec("drop table item");
    file.close();
    const third = await Journal.open(folder.path, roomyBytes);
    context.after(() => third.close());
    assert.deepEqual(await third.readPieces("a"), [
      { turnId: "a", position: 0, text: "Hi!" },
      { turnId: "a", position: 0, text: "", items: [result] },
    ]);
    assert.deepEqual(await third.readPieces("old"), [{ turnId: "old", position: 0, text: "Ho" }]);
  });

  test("leave their file readable for the previous version", { skip: missing }, async (context) => {
    const [folder, previous] = await Promise.all([makeFolder(), unpackPreviousBuild()]);
    context.after(async () => void (await Promise.all([folder.remove(), previous.remove()])));
    const journal = await Journal.open(folder.path, roomyBytes);
    await journal.appendPieces([toPiece(0, "Hi!", result)]);
    const ids = { turnId: "a", conversationId: "c", userId: undefined };
    await journal.append({ kind: "begin", ...ids, toArgument: () => "{}" });
    await journal.append({ kind: "end", ...ids, toArgument: () => '{"pause":{}}' });
    await journal.close();
    const [node = "", main = ""] = previous.command;
    const source = join(main, "..", "store", "journal", "journal.ts");
    const script = `import(${JSON.stringify(source)}).then(async ({ Journal }) => {
      const journal = await Journal.open(${JSON.stringify(folder.path)}, ${roomyBytes});
      const kinds = Array.from(journal.queue.values(), ({ kind }) => kind);
      console.log(JSON.stringify([kinds, await journal.readPieces("a")]));
      await journal.close();
    })`;
    const { stdout } = await run(node, ["-e", script]);
    assert.deepEqual(JSON.parse(stdout), [["begin", "end"], [{ turnId: "a", position: 0, text: "Hi!" }]]);
  });
});
