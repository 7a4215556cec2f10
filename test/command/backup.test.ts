/** `foreword backup` when it does not go well: no file is left that looks whole, and the server goes on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { ControlClient } from "../../src/command/control/control-client.ts";
import { openExportFile } from "../../src/command/moving/export-file.ts";
import { untilQueueEmpty } from "../../src/command/moving/running-server.ts";
import { Journal } from "../../src/store/journal/journal.ts";
import { copyFolder } from "../../src/store/moving/copy-folder.ts";
import { MoveProblem } from "../../src/store/moving/move-problem.ts";
import { startPglite } from "../support/databases/store-harness.ts";
import { makeTestFolder, useDatabase, useModel, toVariables } from "../support/apps/use-app.ts";
import { openDatabase } from "../support/databases/store-harness.ts";
import { systemClock } from "../../src/base/clock.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { useCommands, useSuiteFolder, type RunningCommand } from "./run-command.ts";

describe("foreword backup", { timeout: 120_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPglite);
  const folder = useSuiteFolder();
  const startCommand = useCommands();

  const copy = (): string => join(String(database.variables["DATA_DIR"]), "backup", "database");

  /** Starts a backup, which waits for a suspended server once it has deleted the copy of an earlier one. */
  async function startWaiting(file: string): Promise<RunningCommand> {
    const backup = startCommand(["backup", file], database.variables, folder.path);
    while (!(await isThere(copy())) || (await isThere(join(copy(), "left"))));
    return backup;
  }

  test("leaves no file when it is interrupted or the server dies; a second one waits for no other, and the server goes on", async () => {
    await (await openDatabase(database.variables, systemClock)).close();
    const server = startCommand([], { ...toVariables(model, database), PORT: "0" }, folder.path);
    await server.printed(/listening/);
    server.kill("SIGSTOP");
    const killed = await startWaiting("killed.ndjson");
    killed.kill("SIGKILL");
    await killed.exit();
    await writeFile(join(copy(), "left"), "");
    const stopped = await startWaiting("stopped.ndjson");
    const second = startCommand(["backup", "second.ndjson"], database.variables, folder.path);
    assert.equal(await second.exit(), 1);
    assert.match(
      second.stderr,
      /^foreword backup: Another backup is being made: .*backup is in use by process \d+ /,
    );
    stopped.kill("SIGINT");
    assert.equal(await stopped.exit(), 130);
    assert.equal(stopped.stderr, "Stopping …\nStopped. Nothing was written.\n");
    server.kill("SIGCONT");
    await assertOneCopyEach(String(database.variables["DATA_DIR"]));
    const whole = startCommand(["backup", "whole.ndjson"], database.variables, folder.path);
    assert.equal(await whole.exit(), 0, whole.stderr);

    const piped = startCommand(["backup", "-"], database.variables, folder.path);
    piped.closeOutput();
    assert.equal(await piped.exit(), 1);
    assert.match(piped.stderr, /^foreword backup: The program that read the standard output has ended: /m);
    assert.deepEqual(await readdir(dirname(copy())), ["holder.txt", "lock.sqlite"]);

    server.kill("SIGSTOP");
    const left = await startWaiting("left.ndjson");
    server.kill("SIGKILL");
    assert.equal(await left.exit(), 1);
    assert.equal(
      left.stderr,
      "foreword backup: The server did not let its database be copied: the server has ended. Try again.\n",
    );
    const files = (await readdir(folder.path)).filter(
      (name) => !/^killed\.ndjson\.\w{8}\.unfinished$/.test(name),
    );
    assert.deepEqual(files, ["whole.ndjson"]);
    assert.deepEqual(await readdir(dirname(copy())), ["holder.txt", "lock.sqlite"]);
  });

  test("exports the database itself if no server runs, to a file named after the time, for this user alone", async () => {
    await mkdir(copy()); // of a backup that was killed
    const backup = startCommand(["backup"], database.variables, folder.path);
    assert.equal(await backup.exit(), 0, backup.stderr);
    const name = (await readdir(folder.path)).find((found) => found.endsWith(".gz")) ?? "";
    assert.match(name, /^foreword-20\d\d-\d\d-\d\dT\d\d-\d\d-\d\dZ\.ndjson\.gz$/);
    assert.match(backup.stderr, new RegExp(`^Exported 0 rows to ${name}\\.$`, "m"));
    assert.equal((await stat(join(folder.path, name))).mode & 0o777, 0o600);
    assert.equal(await isThere(copy()), false);
  });

  test("never writes over another file, nor into one that another process writes", async (context) => {
    const path = join(await makeTestFolder(context), "a.ndjson");
    const [first, second] = [await openExportFile(path), await openExportFile(path)];
    await second.write("second");
    await first.write("first");
    await first.keep();
    await assert.rejects(second.keep(), /^MoveProblem: \S+ exists already: name another file\.$/);
    for (const file of [first, second]) await file.close();
    assert.deepEqual(await readdir(dirname(path)), ["a.ndjson"]);
    assert.equal(await readFile(path, "utf8"), "first");
  });

  test("says at once that its file cannot be written", async () => {
    const backup = startCommand(["backup", "none/a.ndjson"], database.variables, folder.path);
    assert.equal(await backup.exit(), 1);
    assert.match(
      backup.stderr,
      /^foreword backup: none\/a\.ndjson cannot be used \(ENOENT.*\): name a file in a folder that exists and that you may write to\.\n$/,
    );
  });

  test("gives up if queued writes do not reach the database within 30 s", async (context) => {
    const dataDir = await makeTestFolder(context);
    const journal = await Journal.open(dataDir, 1_000_000);
    const ids = { turnId: randomUUID(), conversationId: randomUUID(), userId: undefined };
    await journal.append({ kind: "begin", ...ids, toArgument: () => "{}" });
    const clock = new ManualClock();
    const told: string[] = [];
    const tell = async (text: string): Promise<void> => {
      told.push(text);
      clock.advance(30_000);
    };
    const { signal } = new AbortController();
    await assert.rejects(
      untilQueueEmpty({ store: { dataDir }, terminal: { tell }, signal }, clock),
      /^MoveProblem: The writes in the journal in \S+ do not reach the database \(1\): `foreword journal` /,
    );
    assert.deepEqual(told, ["Waiting until the queued writes are in the database: 1 …"]);
    await journal.close();
  });

  test("says that the disk is full, and deletes its part of the file; starts no copy that does not fit", async (context) => {
    const disk = await makeTestFolder(context);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], { stdio: "ignore" });
    } catch {
      return context.skip("a small disk can be mounted by root only");
    }
    try {
      for (const name of ["a.ndjson", "a.ndjson.gz"]) {
        const file = await openExportFile(join(disk, name));
        const fill = async (): Promise<void> => {
          for (let part = 0; part < 16; part += 1) await file.write(randomBytes(65_536).toString("hex"));
          await file.keep();
        };
        await assert.rejects(
          fill(),
          (error: unknown) => error instanceof MoveProblem && /^The disk of \S+ is full/.test(error.message),
        );
        await file.close();
        assert.deepEqual(await readdir(disk), []);
      }
      const copying = { start: assert.fail, end: assert.fail };
      const copied = copyFolder({
        from: folder.path,
        to: join(disk, "backup", "pglite"),
        copying,
        onProgress: () => assert.fail(),
        signal: new AbortController().signal,
      });
      await assert.rejects(copied, /^MoveProblem: \S+ has 0 MiB free, and a backup .* needs 20\d MiB there/);
    } finally {
      execFileSync("umount", [disk]);
    }
  });
});

/** Sends requests that no command sends: they are refused, and keep no later backup from its copy. */
async function assertOneCopyEach(dataDir: string): Promise<void> {
  const connectTo = async (): Promise<ControlClient> =>
    (await ControlClient.connect(dataDir)) ?? assert.fail();
  const [one, other] = [await connectTo(), await connectTo()];
  const signal = AbortSignal.timeout(30_000);
  await one.request("copy-start", signal);
  await assert.rejects(
    one.request("copy-start", signal),
    /^ControlError: this command is making a copy already$/,
  );
  await assert.rejects(other.request("copy-end", signal), /^ControlError: this command is making no copy$/);
  for (const client of [one, other]) client.close();
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
