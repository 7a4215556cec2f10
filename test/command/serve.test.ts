/** The serving process: its output, its refusals to start, and its end. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { listen } from "../support/network/local-port.ts";
import { ScriptedModel } from "../support/model/scripted-model.ts";
import { useCommands, useSuiteFolder } from "./run-command.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

describe("foreword serve", () => {
  const folder = useSuiteFolder();
  const startCommand = useCommands();

  async function refuse(variables: Record<string, string>): Promise<string> {
    const command = startCommand([], variables, folder.path);
    assert.equal(await command.exit(), 1);
    assert.equal(command.stdout, "");
    return command.stderr;
  }

  test("needs no settings: prints its address, model, store and the features that are off, and serves; SIGTERM ends it with 0", async () => {
    const command = startCommand([], { PORT: "0" }, folder.path);
    const [, address = ""] = await command.printed(/listening +(http:\S+)\n[^]*try .*\n/);
    assert.match(
      command.stderr,
      /Opening the embedded database \(the first time takes a few seconds\) …\nForeword \d+\.\d+\.\d+\n/,
    );
    assert.match(command.stderr, /model +built-in demo/);
    assert.match(command.stderr, /store +embedded Postgres \(PGlite\) in \.foreword/);
    assert.match(command.stderr, /off +authentication: anyone who can connect can chat/);
    const answer = await fetch(`${address}/stream-chat`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ sender: "user", text: "Hello" }] }),
    });
    assert.match(await answer.text(), /^- [^]*\n---RESPONSE---\nI am Foreword's built-in demo/);
    const second = startCommand([], { PORT: "0" }, folder.path);
    assert.equal(await second.exit(), 1);
    assert.match(
      second.stderr,
      /database is in use by process \d+ on .* since .*; stop it, or set DATA_DIR to another folder/,
    );
    const doctor = startCommand(["doctor"], {}, folder.path);
    assert.equal(await doctor.exit(), 0);
    assert.match(doctor.stdout, /^ok +store +.*is in use by process \d+ on .*: check its \/readyz/m);
    command.kill("SIGTERM");
    assert.equal(await command.exit(), 0);
    for (const line of command.stdout.trim().split("\n"))
      assert.ok(JSON.parse(line), "the log is one JSON object a line");
  });

  test("opens a folder whose last owner was killed", async () => {
    const killed = startCommand([], { PORT: "0" }, folder.path);
    await killed.printed(/listening/);
    killed.kill("SIGKILL");
    assert.equal(await killed.exit(), "SIGKILL");
    const next = startCommand([], { PORT: "0" }, folder.path);
    await next.printed(/listening/);
    next.kill("SIGINT");
    assert.equal(await next.exit(), 0);
  });

  test("reports every invalid variable at once", async () => {
    const text = await refuse({ PORT: "x", DATABASE_URL: "x", OPENAI_API_KEY: "sk-secret" });
    assert.match(
      text,
      /^Foreword cannot start: 3 settings are invalid:\n {2}PORT must be .*\n {2}DATABASE_URL must be .*\n {2}OPENAI_MODEL is required with OPENAI_API_KEY\n/,
    );
    assert.ok(!text.includes("secret"));
  });

  test("ends after a signal to npm start alone, as supervisors send it", async () => {
    const variables = { PORT: "0", CHAT_STORE_ENABLED: "false", HOME: folder.path };
    const command = startCommand(["start"], variables, root, ["npm"], true);
    await command.printed(/listening[^]*try .*\n/);
    command.kill("SIGTERM");
    await command.exit();
    assert.match(command.stdout, /"msg":"stopping"/);
  });

  test("names DATA_DIR when it cannot be used", async () => {
    await writeFile(join(folder.path, "file"), "");
    assert.match(
      await refuse({ PORT: "0", DATA_DIR: "file" }),
      /Foreword cannot continue: file\/database cannot be used \(ENOTDIR.*\); see DATA_DIR\./,
    );
  });

  test("reads .env, which the environment overrides", async () => {
    await writeFile(join(folder.path, ".env"), "PORT=x\nLOG_LEVEL=loud\n");
    const text = await refuse({ PORT: "0" });
    await writeFile(join(folder.path, ".env"), "");
    assert.match(text, /1 setting is invalid:\n {2}LOG_LEVEL /);
  });

  test("reports a port in use, and the setting to change", async () => {
    const other = createServer();
    const port = await listen(other);
    const text = await refuse({ PORT: String(port), CHAT_STORE_ENABLED: "false" });
    other.close();
    assert.match(
      text,
      new RegExp(
        `cannot start: .*address already in use 127\\.0\\.0\\.1:${port}\\. Another process is listening there; set PORT`,
      ),
    );
  });

  test("starts although its database is unreachable, and reports that", async () => {
    const command = startCommand(
      [],
      { PORT: "0", DATABASE_URL: "postgres://u:secret@127.0.0.1:1/chat" },
      folder.path,
    );
    await command.printed(/UNAVAILABLE: store_unavailable[^]*try .*\n/);
    assert.match(command.stderr, /replies continue and wait in the journal until it is back/);
    assert.match(command.stderr, /store +Postgres at postgres:\/\/127\.0\.0\.1:1\/chat\n/);
    assert.ok(!command.stderr.includes("secret"));
    command.kill("SIGTERM");
    assert.equal(await command.exit(), 0);
  });

  test("starts although its journal cannot be used, and reports the consequence", async () => {
    await mkdir(join(folder.path, "blocked"));
    await writeFile(join(folder.path, "blocked", "journal"), "");
    const variables = { PORT: "0", DATA_DIR: "blocked" };
    const command = startCommand([], variables, folder.path);
    await command.printed(/journal +OFF: cannot use blocked.*new turns get 503\n[^]*try .*\n/);
    const doctor = startCommand(["doctor"], variables, folder.path);
    assert.equal(await doctor.exit(), 1);
    assert.match(doctor.stdout, /^WRONG journal +store_unavailable: .*ENOTDIR/m);
    command.kill("SIGTERM");
    assert.equal(await command.exit(), 0);
  });

  test("gives a running reply DRAIN_SECONDS, which `foreword status` shows, then exits; a second signal ends it at once", async () => {
    const model = await ScriptedModel.start();
    const variables = {
      PORT: "0",
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "scripted",
    };
    for (const [drainSeconds, signals, code] of [
      ["0", 1, 0],
      ["600", 2, 1],
    ] as const) {
      const more = { CHAT_STORE_ENABLED: String(signals === 2), DRAIN_SECONDS: drainSeconds };
      const command = startCommand([], { ...variables, ...more }, folder.path);
      const [, address = ""] = await command.printed(/listening +(http:\S+)\n[^]*try .*\n/);
      const next = model.nextCall();
      const asking = fetch(`${address}/stream-chat`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ messages: [{ sender: "user", text: "Hello" }] }),
      });
      const call = await next;
      call.text("- a\n---RESPONSE---\nHalf");
      const answer = await asking;
      command.kill("SIGTERM");
      if (signals === 2) {
        while (!command.stdout.includes('"stopping"')) await new Promise((resolve) => setImmediate(resolve));
        const status = startCommand(["status"], variables, folder.path);
        assert.equal(await status.exit(), 0, status.stdout);
        assert.match(status.stdout, /^ {2}turns +1 running;/m);
        command.kill("SIGTERM");
      }
      assert.equal(await command.exit(), code);
      await assert.rejects(answer.text());
    }
    await model.close();
  });
});
