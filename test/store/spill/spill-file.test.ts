/** The file of texts that have left memory: its places are used again, and it leaves the disk its room. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, test, type TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { systemClock } from "../../../src/base/clock.ts";
import type { AppError } from "../../../src/base/errors.ts";
import { textPageBytes } from "../../../src/base/sizes.ts";
import { SpillFile } from "../../../src/store/spill/spill-file.ts";
import type { SpilledText } from "../../../src/turn/records.ts";
import { makeTestFolder } from "../../support/apps/use-app.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { findSpill } from "../../support/process/spill.ts";

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

/** Collects garbage until `isSo`. */
async function collectUntil(isSo: () => boolean): Promise<void> {
  assert.ok(typeof collect === "function");
  while (!isSo()) {
    collect();
    await nextTurn();
  }
}

function openFile(context: TestContext, folder: string, clock = systemClock) {
  const troubles: AppError[] = [];
  const file = new SpillFile(join(folder, "spill"), clock, (error) => troubles.push(error));
  context.after(() => file.close());
  return { file, troubles };
}

function toPage(letter: string): Buffer {
  return Buffer.alloc(textPageBytes, letter);
}

/** Writes a text of each letter; resolves with them. */
async function writeAll(file: SpillFile, letters: string): Promise<SpilledText[]> {
  const texts = await Promise.all(Array.from(letters, (letter) => file.write(toPage(letter))));
  return texts.filter((text) => text !== undefined);
}

function sizeOf(folder: string): number {
  const path = findSpill(folder);
  return path === undefined ? 0 : statSync(path).size;
}

describe("SpillFile", { timeout: 60_000 }, () => {
  test("returns texts for as long as they are referred to, uses their places again, and shrinks to nothing", async (context) => {
    const folder = await makeTestFolder(context);
    const { file, troubles } = openFile(context, folder);
    const texts = await writeAll(file, "abcd");
    assert.deepEqual([texts.length, sizeOf(folder)], [4, 4 * textPageBytes]);
    const kept = texts.splice(1, 1);
    texts.length = 0;
    const writes: Promise<SpilledText | undefined>[] = [];
    await collectUntil(() => {
      writes.push(file.write(toPage("e")));
      return !/[acd]/.test(readFileSync(findSpill(folder) ?? "").toString("latin1"));
    });
    const later = await Promise.all(writes);
    assert.equal(kept[0]?.read().equals(toPage("b")), true);
    assert.equal(
      later.every((text) => text?.read().equals(toPage("e")) === true),
      true,
    );
    for (const list of [kept, writes, later]) list.length = 0;
    await collectUntil(() => sizeOf(folder) === 0);
    assert.deepEqual(troubles, []);
  });

  test("does not grow on a disk with little room, which is no error", async (context) => {
    const folder = await makeTestFolder(context);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], { stdio: "ignore" });
    } catch {
      return context.skip("file systems cannot be mounted here");
    }
    try {
      const { file, troubles } = openFile(context, folder);
      assert.deepEqual([await writeAll(file, "ab"), sizeOf(folder), troubles], [[], 0, []]);
      await file.close();
    } finally {
      execFileSync("umount", [folder]);
    }
  });

  test("is tried again a minute after a failure, and tells of each", async (context) => {
    const clock = new ManualClock();
    const { file, troubles } = openFile(context, "/nowhere/at-all", clock);
    assert.deepEqual([await writeAll(file, "abc"), troubles.length], [[], 1]);
    assert.deepEqual([await writeAll(file, "abc"), troubles.length], [[], 1]);
    clock.advance(60_000);
    assert.deepEqual([await writeAll(file, "a"), troubles.length], [[], 2]);
    assert.match(troubles[0]?.message ?? "", /ENOENT/);
  });

  test("takes no texts once it is closed, and returns none", async (context) => {
    const folder = await makeTestFolder(context);
    const { file } = openFile(context, folder);
    const [text] = await writeAll(file, "a");
    await file.close();
    assert.deepEqual([await writeAll(file, "b"), sizeOf(folder)], [[], 0]);
    assert.throws(() => text?.read(), { code: "store_unavailable" });
  });
});
