/** Items in a journal: kept like text, in files that dead processes have left, too. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { Journal } from "../../../src/store/journal/journal.ts";
import type { Piece } from "../../../src/turn/records.ts";
import type { SavedItem } from "../../../src/turn/turn-event.ts";
import { makeFolder } from "../../support/apps/start-app.ts";

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
});
