/** The built package works without type stripping: as JavaScript, with its worker and schema. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { schemaVersion } from "../../src/store/database/database.ts";
import { makeFolder } from "../support/apps/start-app.ts";
import { useCommands } from "./run-command.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const compiler = join(root, "node_modules/typescript/bin/tsc");
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

const run = promisify(execFile);

describe("the built package", () => {
  const startCommand = useCommands();
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  before(async () => {
    folder = await makeFolder();
    await run(process.execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: root });
  });
  after(() => folder.remove());

  test("prints its schema", async () => {
    const command = startCommand(["schema"], {}, folder.path, [process.execPath, main]);
    assert.equal(await command.exit(), 0);
    assert.ok(command.stdout.startsWith(`-- Foreword's schema, version ${schemaVersion}:`));
  });

  test("serves from its embedded database", async () => {
    const command = startCommand([], { PORT: "0" }, folder.path, [process.execPath, main]);
    const [, address = ""] = await command.printed(/listening +(http:\S+)\n[^]*try .*\n/);
    const ready = await fetch(`${address}/readyz`);
    assert.equal(JSON.parse(await ready.text()).parts.store.status, "ok");
    command.kill("SIGTERM");
    assert.equal(await command.exit(), 0);
  });
});
