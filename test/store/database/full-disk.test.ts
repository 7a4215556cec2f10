/**
 * The embedded database on a full disk: it reports that, continues once there is room, and its log never
 * keeps growing.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { AppError } from "../../../src/base/errors.ts";
import { service } from "../../../src/store/database/database.ts";
import { lockFolder } from "../../../src/store/data-folder.ts";
import { PgliteDatabase } from "../../../src/store/database/pglite/pglite.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { temporaryFolder } from "../../support/process/temporary-folder.ts";

const options = {
  tables: { conversations: "conversations", messages: "messages", turns: "turns" },
  hasVectors: false,
};
const mebibyte = 1024 * 1024;

/** Adds a conversation with so much metadata that does not compress. */
async function add(database: PgliteDatabase, bytes: number): Promise<void> {
  const metadata = { text: randomBytes(bytes / 2).toString("hex") };
  const argument = { conversation_id: randomUUID(), title: "T", metadata };
  await database.call("chat_create_conversation", argument, service);
}

function mountSmallDisk(folder: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=96m", "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("the embedded database on a full disk", { timeout: 240_000 }, () => {
  const disk = mkdtempSync(join(tmpdir(), "foreword-test-"));
  const fill = join(disk, "fill");
  let isMounted = false;
  before(() => {
    isMounted = mountSmallDisk(disk);
  });
  after(() => {
    if (isMounted) execFileSync("umount", [disk]);
    rmSync(disk, { recursive: true, force: true });
  });

  function fillUpTo(leftBytes: number): void {
    rmSync(fill, { force: true });
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(fill, Buffer.alloc(Math.max(0, bavail * bsize - leftBytes)));
  }

  test("reports it at its first start, and starts once there is room; later reports it for each write, and accepts them again, and gives up a copy of its folder", async (context) => {
    if (!isMounted) return context.skip("a small disk can be mounted by root only");
    const dataDir = join(disk, "data");
    for (const leftBytes of [0, 20_000, 4 * mebibyte, 30 * mebibyte]) {
      fillUpTo(leftBytes);
      const isFull = (error: unknown): boolean => {
        assert.ok(error instanceof AppError);
        assert.equal(error.code, "store_full", error.message);
        assert.match(error.message, /space|disk is full/);
        return true;
      };
      await assert.rejects(
        async () => await PgliteDatabase.start(dataDir, options, systemClock).opened,
        isFull,
      );
    }
    rmSync(fill);
    const database = PgliteDatabase.start(dataDir, options, systemClock);
    await database.opened;
    await add(database, 1_000);

    for (let round = 0; round < 2; round += 1) {
      fillUpTo(300_000);
      let failures = 0;
      for (let attempt = 0; attempt < 40 && failures < 5; attempt += 1) {
        const added = await add(database, 1 * mebibyte).catch((error: unknown) => error);
        if (!(added instanceof AppError)) continue;
        failures += 1;
        assert.equal(added.code, "store_full", added.message);
        assert.match(added.message, /space/);
      }
      assert.ok(failures > 0);
      rmSync(fill);
      for (let isBack = false; !isBack;)
        isBack = await add(database, 1_000).then(
          () => true,
          () => false,
        );
    }
    const listed = await database.call("chat_list_conversations", { limit: 100 }, service);
    assert.ok(Array.isArray(listed) && listed.length >= 3);

    // Its log would fill the rest of the disk.
    await database.copying.start();
    for (let count = 0; count < 40; count += 1)
      await database.call("chat_list_conversations", { limit: 1 }, service);
    await assert.rejects(
      database.copying.end(),
      /its log was not kept for the copy, as the disk is nearly full/,
    );
    await database.copying.release();
    await database.close();
  });
});

describe("the log of the embedded database", { timeout: 240_000 }, () => {
  test("stays small under many writes, except while it is kept for a copy, and is not needed after a close", async () => {
    const dataDir = mkdtempSync(join(temporaryFolder, "foreword-test-"));
    const logFolder = join(dataDir, "database", "pglite", "pg_wal");
    const countLogBytes = (): number =>
      readdirSync(logFolder).reduce((sum, name) => {
        const file = statSync(join(logFolder, name));
        return file.isFile() ? sum + file.size : sum;
      }, 0);
    const database = PgliteDatabase.start(dataDir, options, systemClock);
    await database.opened;
    let mostBytes = 0;
    for (let count = 0; count < 160; count += 1) {
      await add(database, 1 * mebibyte);
      mostBytes = Math.max(mostBytes, countLogBytes());
    }
    assert.ok(mostBytes <= 128 * mebibyte, `${mostBytes} bytes of log for 160 MiB of rows`);

    await database.copying.start();
    await assert.rejects(database.copying.start(), /another copy of it is being made/);
    for (let count = 0; count < 64; count += 1) await add(database, 1 * mebibyte);
    const { label, lastLogFile } = await database.copying.end();
    const [, firstLogFile = ""] = /^START WAL LOCATION: .* \(file (\w+)\)/.exec(label) ?? [];
    const isKept = (): boolean => readdirSync(logFolder).includes(firstLogFile);
    assert.deepEqual([isKept(), readdirSync(logFolder).includes(lastLogFile)], [true, true]);
    await database.copying.release();
    for (let count = 0; count < 64; count += 1) await add(database, 1_000);
    assert.equal(isKept(), false);
    await database.close();
    rmSync(dataDir, { recursive: true });
  });
});

describe("a data folder that cannot be created", () => {
  test("ends the start with a sentence, whatever is in the way", () => {
    const folder = mkdtempSync(join(tmpdir(), "foreword-test-"));
    writeFileSync(join(folder, "file"), "");
    symlinkSync(join(folder, "loop"), join(folder, "loop"));
    symlinkSync(join(folder, "nowhere"), join(folder, "dangling"));
    for (const path of [
      join(folder, "file"),
      join(folder, "file", "below"),
      join(folder, "loop"),
      join(folder, "loop", "below"),
      join(folder, "dangling"),
      join(folder, "n".repeat(300)),
      join(folder, "n".repeat(300), "below"),
      "/proc/foreword/data",
      "/proc/self/foreword/data",
      "/sys/foreword",
      "/dev/null/data",
    ])
      assert.throws(
        () => lockFolder(path),
        (error) => {
          assert.ok(error instanceof AppError, path);
          assert.equal(error.code, "store_unavailable");
          assert.match(error.message, /cannot be used \(.+\); see DATA_DIR$/);
          return true;
        },
      );
    const made = join(folder, "a", "b", "c");
    lockFolder(made).release();
    mkdirSync(join(folder, "real"));
    symlinkSync(join(folder, "real"), join(folder, "link"));
    lockFolder(join(folder, "link", "below")).release();
    assert.ok(statSync(join(folder, "real", "below")).isDirectory());
    rmSync(folder, { recursive: true });
  });
});
