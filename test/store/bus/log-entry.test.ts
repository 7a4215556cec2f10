/** Entries of a turn's stream in Redis. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseEntry, toEntry } from "../../../src/store/bus/log-entry.ts";
import type { LivePiece } from "../../../src/turn/records.ts";

describe("an entry", () => {
  const turn = { turnId: "01a2280c-877d-76df-bc5e-c8f8966376bf", startedAt: new Date() };
  const thought = { type: "reasoning-delta", position: 7, ordinal: 3, text: "Hm?" } as const;
  const afterItem = { position: 4, ordinal: 12 };

  test("has the id of the place where its piece ends, in bytes, and brings the piece back", () => {
    const pieces: readonly (readonly [string, LivePiece])[] = [
      ["7-0", { ...turn, position: 4, text: "é\0", items: [], afterItem }],
      ["7-3", { ...turn, position: 4, text: "abc", items: [thought], afterItem: undefined }],
      ["7-3", { ...turn, position: 7, text: "", items: [thought], afterItem }],
      ["9-0", { ...turn, position: 4, text: "abcde", items: [thought], afterItem: undefined }],
    ];
    for (const [expected, piece] of pieces) {
      const [id, ...fields] = toEntry(piece);
      assert.equal(id, expected);
      assert.deepEqual(parseEntry(turn, fields), piece);
    }
  });

  test("that is none of ours is left alone, and items of a newer server are left out", () => {
    const wrong = [
      [],
      ["text", "x"],
      ["position", "-1", "text", "x"],
      ["position", "1e3", "text", "x"],
      ["position", "1", "items", "[{"],
      ["position", "1", "items", "{}"],
      ["position", "1", "after", "1"],
      ["position"],
    ];
    for (const fields of wrong) assert.equal(parseEntry(turn, fields), undefined);
    const newer = ["position", "7", "items", JSON.stringify([{ ...thought, type: "novelty" }, thought])];
    assert.deepEqual(parseEntry(turn, newer)?.items, [thought]);
  });
});
