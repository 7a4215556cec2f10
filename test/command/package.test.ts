/** Owns the promise that the package works where Node does not strip types: built to JavaScript, with its worker and schema. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeFolder } from "../support/start-app.ts";
import { RunningCommand } from "./run-command.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

describe("the built package", () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  before(async () => {
    folder = await makeFolder();
    await promisify(execFile)(
      process.execPath,
      ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"],
      { cwd: root },
    );
  });
  after(() => folder.remove());

  test("prints its schema", async () => {
    const command = new RunningCommand(["schema"], {}, folder.path, [process.execPath, main]);
    assert.equal(await command.exit(), 0);
    assert.match(command.stdout, /^-- Foreword's schema, version 2/);
  });

  test("serves from its embedded database", async () => {
    const command = new RunningCommand([], { PORT: "0" }, folder.path, [process.execPath, main]);
    const [, address = ""] = await command.printed(/listening +(http:\S+)\n[^]*try .*\n/);
    const ready = await fetch(`${address}/readyz`);
    assert.equal(JSON.parse(await ready.text()).parts.store.status, "ok");
    command.kill("SIGTERM");
    assert.equal(await command.exit(), 0);
  });
});
