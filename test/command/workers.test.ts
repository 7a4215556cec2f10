/** Workers share the load, are replaced when they exit, and end together. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { ConfigError, parseConfig } from "../../src/config/config.ts";
import { startPostgresHarness, type StoreHarness } from "../support/databases/store-harness.ts";
import { ScriptedModel, type ScriptedCall } from "../support/model/scripted-model.ts";
import { makeFolder } from "../support/apps/start-app.ts";
import { scrape } from "../support/clients/prometheus.ts";
import { RunningCommand } from "./run-command.ts";

const Line = z.looseObject({ msg: z.string(), pid: z.number() });

describe("WORKERS", { timeout: 120_000 }, () => {
  let harness: StoreHarness;
  let model: ScriptedModel;
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  before(async () => {
    [harness, model, folder] = await Promise.all([
      startPostgresHarness(),
      ScriptedModel.start(),
      makeFolder(),
    ]);
  });
  after(async () => {
    await model.close();
    await harness.stop();
    await folder.remove();
  });

  function linesOf(command: RunningCommand): z.infer<typeof Line>[] {
    return command.stdout
      .split("\n")
      .filter((line) => line.endsWith("}"))
      .map((line) => Line.parse(JSON.parse(line)));
  }

  /** Resolves with the processes of logged turns, once the log has `count` of them after `from` lines. */
  async function pidsOf(command: RunningCommand, count: number, from = 0): Promise<Set<number>> {
    for (;;) {
      const turns = linesOf(command)
        .slice(from)
        .filter(({ msg }) => msg === "turn");
      if (turns.length >= count) return new Set(turns.map(({ pid }) => pid));
      await command.wrote();
    }
  }

  async function chat(address: string): Promise<string> {
    const answer = await fetch(`${address}/stream-chat`, {
      method: "POST",
      headers: { "content-type": "application/json", connection: "close" },
      body: JSON.stringify({ messages: [{ sender: "user", text: "Hello" }] }),
    });
    return await answer.text();
  }

  /** Starts two, which lead a group of their own; resolves once both have had turns. */
  async function startBoth(
    variables: Readonly<Record<string, string>> = { OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" },
  ): Promise<{ command: RunningCommand; address: string; pids: Set<number> }> {
    const command = new RunningCommand(
      ["serve"],
      {
        PORT: "0",
        WORKERS: "2",
        ...variables,
        DATA_DIR: folder.path,
        ...harness.variables,
      },
      folder.path,
      undefined,
      true,
    );
    const [, address = ""] = await command.printed(
      /listening +(http:\S+)\n[^]*workers +2 processes[^]*try .*\n/,
    );
    model.say("- p\n---RESPONSE---\nHello.");
    // Which of them listens first is open: until both do, one has all.
    let pids = new Set<number>();
    let asked = 0;
    while (pids.size < 2) {
      assert.equal(await chat(address), "- p\n---RESPONSE---\nHello.");
      pids = await pidsOf(command, (asked += 1));
    }
    return { command, address, pids };
  }

  test("all know the models of a file, and leave a failed one for its fallback", async () => {
    const primary = await ScriptedModel.start();
    primary.script = (call) => call.head(503).end();
    const file = join(folder.path, "models.json");
    const models = [
      { name: "primary", baseUrl: primary.url, fallback: ["backup"] },
      { name: "backup", baseUrl: model.url },
    ];
    await writeFile(file, JSON.stringify({ models }));
    const { command, address } = await startBoth({ MODELS_FILE: file });
    // Each worker asks it once, and then leaves it alone.
    assert.equal(primary.calls.length, 2);
    const listed = await fetch(`${address}/v1/models`);
    assert.match(await listed.text(), /"id":"primary".*"id":"backup"/s);
    const turns = linesOf(command).filter(({ msg }) => msg === "turn");
    assert.deepEqual(new Set(turns.map(({ model: name }) => name)), new Set(["backup"]));
    command.kill("SIGTERM");
    assert.equal(await command.exit(), 0);
    await primary.close();
  });

  test("do not start with a file of models that has a fault, which is told once", async () => {
    const file = join(folder.path, "faulty.json");
    await writeFile(file, JSON.stringify({ models: [{ name: "a", baseUrl: "x" }] }));
    const variables = { PORT: "0", WORKERS: "2", MODELS_FILE: file, DATA_DIR: folder.path };
    const command = new RunningCommand(["serve"], { ...variables, ...harness.variables }, folder.path);
    assert.notEqual(await command.exit(), 0);
    assert.equal(command.stderr.match(/models\[0\]\.baseUrl must be a URL/g)?.length, 1, command.stderr);
  });

  test("serve one port in turn; a killed one is replaced; under load all drain: replies in flight end whole, new turns are refused", async () => {
    const { command, address, pids } = await startBoth();
    const [victim = 0, survivor = 0] = pids;
    process.kill(victim, "SIGKILL");
    while (!linesOf(command).some(({ msg }) => msg === "worker exited; starting a replacement"))
      await command.wrote();
    const from = linesOf(command).length;
    let later = new Set<number>();
    for (let asked = 0; later.size < 2;) {
      assert.equal(await chat(address), "- p\n---RESPONSE---\nHello.");
      later = await pidsOf(command, (asked += 1), from);
    }
    assert.ok(later.has(survivor) && !later.has(victim));
    assert.equal(command.stderr.match(/listening/g)?.length, 1, "the start block is printed once");

    const calls: ScriptedCall[] = [];
    const { promise: allCalled, resolve } = Promise.withResolvers<void>();
    model.script = (call) => {
      calls.push(call.text("- p\n---RESPONSE---\n"));
      if (calls.length === 12) resolve();
    };
    const replies = Array.from({ length: 12 }, () => chat(address));
    await allCalled;
    command.kill("SIGTERM");
    while (linesOf(command).filter(({ msg }) => msg === "stopping").length < 2) await command.wrote();
    for (let asked = 0; asked < 4; asked += 1) assert.match(await chat(address), /"code":"server_stopping"/);
    for (const call of calls) call.text("To the end.").finish();
    assert.deepEqual(new Set(await Promise.all(replies)), new Set(["- p\n---RESPONSE---\nTo the end."]));
    assert.equal(await command.exit(), 0);
    assert.ok(linesOf(command).some(({ msg }) => msg === "all workers have exited"));
    assert.equal(calls.length, 12, "no turn was started meanwhile");
    await assert.rejects(chat(address), ({ cause }: Error) => /ECONNREFUSED/.test(String(cause)));
  });

  test("are summed up at METRICS_PORT and by `foreword status`; a frozen one is missing after a second, and no sum ever falls", async () => {
    const variables = { OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted", METRICS_PORT: "0" };
    const { command, pids } = await startBoth(variables);
    const [, url = ""] = await command.printed(/^Metrics are served at (\S+)$/m);
    const turns = linesOf(command).filter(({ msg }) => msg === "turn").length;
    const [frozen = 0, other = 0] = pids;
    const both = await scrape(url);
    assert.equal(both.sum("foreword_turns_total", { outcome: "complete" }), turns);
    assert.deepEqual([both.sum("foreword_workers"), both.sum("foreword_workers_missing")], [2, 0]);
    assert.equal(both.sum("foreword_db_pool_max"), 20);
    const status = new RunningCommand(["status"], { DATA_DIR: folder.path }, folder.path);
    assert.equal(await status.exit(), 0);
    assert.match(status.stdout, /^Foreword \S+, up \d+ s, 2 workers\n/);

    process.kill(frozen, "SIGSTOP");
    const [one, again] = await Promise.all([scrape(url), scrape(url)]);
    assert.deepEqual(
      [one, again].map((found) => found.sum("foreword_workers_missing")),
      [1, 1],
    );
    assert.equal(one.sum("foreword_turns_total"), turns);
    assert.equal(one.sum("foreword_db_pool_max"), 10);
    process.kill(frozen, "SIGCONT");
    let isMissing = true;
    while (isMissing) isMissing = (await scrape(url)).sum("foreword_workers_missing") > 0;

    // The other one exits while a scrape waits for the frozen one.
    process.kill(frozen, "SIGSTOP");
    const during = scrape(url);
    assert.equal((await fetch(new URL("/", url))).status, 404);
    process.kill(other, "SIGKILL");
    assert.equal((await during).sum("foreword_turns_total"), turns);
    process.kill(frozen, "SIGKILL");
    while (linesOf(command).filter(({ msg }) => msg.startsWith("worker exited")).length < 2)
      await command.wrote();
    assert.equal((await scrape(url)).sum("foreword_turns_total"), turns);
    command.kill("SIGTERM");
    assert.equal(await command.exit(), 0);
  });

  test("exit gracefully, too, if the signal goes to all of them at once, as from a terminal", async () => {
    const { command, address } = await startBoth();
    const next = model.nextCall();
    const reading = chat(address);
    const call = (await next).text("- p\n---RESPONSE---\n");
    command.killGroup("SIGINT");
    while (linesOf(command).filter(({ msg }) => msg === "stopping").length < 2) await command.wrote();
    call.text("To the end.").finish();
    assert.equal(await reading, "- p\n---RESPONSE---\nTo the end.");
    assert.equal(await command.exit(), 0);
  });

  test("that cannot start report the reason once each, and end all with 1", async () => {
    const taken = new RunningCommand(
      ["serve"],
      { PORT: "0", DATA_DIR: folder.path, ...harness.variables },
      folder.path,
    );
    const [, port = ""] = await taken.printed(/listening +http:\S+:(\d+)\n/);
    const second = new RunningCommand(
      ["serve"],
      { PORT: port, WORKERS: "2", DATA_DIR: folder.path, ...harness.variables },
      folder.path,
    );
    assert.equal(await second.exit(), 1);
    assert.match(second.stderr, /Another process is listening there; set PORT to a free port\./);
    taken.kill("SIGTERM");
    assert.equal(await taken.exit(), 0);
  });

  const shared = { DATABASE_URL: "postgres://u:p@localhost/x" };
  test("is a whole number or auto, and refused with advice if the store serves a single process", () => {
    assert.equal(parseConfig({}).workerCount, 1);
    assert.equal(parseConfig({ WORKERS: "3", ...shared }).workerCount, 3);
    assert.ok(parseConfig({ WORKERS: " Auto ", ...shared }).workerCount >= 1);
    const problemsOf = (variables: Record<string, string>): readonly string[] => {
      try {
        parseConfig(variables);
        return [];
      } catch (error) {
        return error instanceof ConfigError ? error.problems : assert.fail();
      }
    };
    for (const bad of ["0", "65", "1.5", "-1", "many"])
      assert.deepEqual(problemsOf({ WORKERS: bad, ...shared }), [
        "WORKERS must be a whole number from 1 to 64, or auto",
      ]);
    const supabase = { SUPABASE_URL: "https://x.supabase.co" };
    for (const lone of [
      {},
      { CHAT_STORE_ENABLED: "false", ...shared },
      supabase,
      { ...supabase, SUPABASE_ANON_KEY: "k" },
    ]) {
      const [problem = "", ...others] = problemsOf({ WORKERS: "2", ...lone });
      assert.match(problem, /^WORKERS > 1 requires a shared database \(DATABASE_URL/);
      assert.deepEqual(others, []);
    }
    assert.deepEqual(problemsOf({ WORKERS: "2", ...supabase, SUPABASE_SERVICE_ROLE_KEY: "k" }), []);
  });
});
