/**
 * The runbook: each incident of docs/operations.md happens to a real server, shows the signs that are
 * described, and is over after its commands, which run in a shell as they are written. Nothing is lost.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseConfig } from "../../src/config/config.ts";
import { schemaVersion } from "../../src/store/database/database.ts";
import { useSuiteFolder } from "../command/run-command.ts";
import { Machine, type Said } from "../support/apps/machine.ts";
import { findMissingHistory, unpackPreviousBuild } from "../support/apps/previous-build.ts";
import { useDatabase, useModel, useResource } from "../support/apps/use-app.ts";
import type { Scrape } from "../support/clients/prometheus.ts";
import { fillDataFolder } from "../support/databases/pglite-template.ts";
import { loadSchemaOf } from "../support/databases/schema-versions.ts";
import { runSql, startPostgresHarness } from "../support/databases/store-harness.ts";
import { readAlerts } from "../support/docs/alerts.ts";
import {
  assertShows,
  listIncidents,
  readIncident,
  readQuoted,
  readSection,
  readSteps,
  type Incident,
} from "../support/docs/runbook.ts";

const alerts = readAlerts();
const missing = await findMissingHistory();

/** Steps of the runbook that have run, to find those that no test runs. */
const done = new Set<string>();

/** Runs the next steps of a section, one a call; each shows what the section quotes. */
class Walk {
  readonly incident: Incident;
  readonly #machine: Machine;

  constructor(title: string, machine: Machine) {
    this.incident = readIncident(title);
    this.#machine = machine;
  }

  /** Runs step `index` of the section, from 0. */
  async run(index: number, variables: Readonly<Record<string, string>> = {}): Promise<void> {
    const step = this.incident.steps[index];
    assert.ok(step !== undefined, `${this.incident.anchor} has no step ${index}`);
    assertShows(await this.#machine.run(step.commands, variables), step.output);
    done.add(`${this.incident.anchor} ${index}`);
  }

  /** Checks the signs: the log's line, `/readyz`, metrics that have grown since `earlier`, and the alerts. */
  async checkSigns(earlier: Scrape): Promise<void> {
    const { signs, anchor } = this.incident;
    const [msg, code] = readQuoted(signs.get("log"));
    await this.#machine.logged((line) => line.msg === msg && line["code"] === code);
    await this.checkReady();
    const metrics = readQuoted(signs.get("metric"));
    const now = await this.#machine.scrape();
    for (const metric of metrics) assert.ok(sum(now, metric) > sum(earlier, metric), metric);
    const named = readQuoted(signs.get("alert")).filter((word) => word.startsWith("Foreword"));
    for (const { name, runbook } of alerts)
      if (runbook === `docs/operations.md#${anchor}`) assert.ok(named.includes(name), name);
    const rules = named.map((name) => alerts.find((alert) => alert.name === name));
    assert.ok(!rules.includes(undefined), named.join());
    const measured = metrics.map((metric) => metric.replace(/\{.*/, ""));
    assert.ok(rules.some((rule) => measured.some((metric) => rule?.expr.includes(metric))));
  }

  /** Checks the sign of `/readyz`. */
  async checkReady(): Promise<void> {
    const body = await this.#machine.readReady();
    const [first = ""] = this.incident.signs.get("GET /readyz")?.split(/[;:] /) ?? [];
    for (const part of readQuoted(first)) assert.ok(body.includes(part), `${part} in ${body}`);
  }
}

/** Returns the sum of a metric, which may name labels. */
function sum(scraped: Scrape, metric: string): number {
  const [name = ""] = metric.split("{");
  const labels = Array.from(metric.matchAll(/(\w+)="([^"]*)"/g), ([, label = "", value = ""]) => [
    label,
    value,
  ]);
  return scraped.sum(name, Object.fromEntries(labels));
}

function mountSmallDisk(folder: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Fails each insert of a message as a full disk does. */
const fillDatabase = `
  create function public.fail() returns trigger language plpgsql as $$ begin raise exception 'could not extend file' using errcode = '53100'; end $$;
  create trigger fail before insert on public.messages for each row execute function public.fail()`;
const emptyDatabase = "drop function public.fail() cascade";

describe("the runbook", { timeout: 240_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  const folder = useSuiteFolder();
  let machine: Machine;
  let isSmallDisk = false;
  /** Every turn so far. */
  const said: Said[] = [];
  useResource(async (closing) => {
    machine = await Machine.create(folder.path, {
      ...database.variables,
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "scripted-1",
      LIMIT_CONCURRENT_TURNS: "1",
    });
    const dataDir = join(folder.path, ".foreword");
    await mkdir(dataDir);
    isSmallDisk = mountSmallDisk(dataDir);
    closing.defer(() => void (isSmallDisk && execFileSync("umount", [dataDir])));
    await machine.start();
    closing.defer(() => machine.close());
  });

  /** Runs a turn, whose reply must be whole. */
  async function say(text: string, userId?: string): Promise<Said> {
    const turn = await machine.chat(`${text} ${said.length}`, userId);
    assert.deepEqual([turn.status, turn.body], [200, "- Think\n---RESPONSE---\nHello."]);
    said.push(turn);
    return turn;
  }

  /** Returns the code of a user's conversations, which cannot be read. */
  async function readRefusal({ userId }: Said): Promise<unknown> {
    const response = await machine.request(`/conversations?userId=${userId}`);
    assert.equal(response.status, 503);
    const { code }: { code: unknown } = JSON.parse(await response.text());
    return code;
  }

  /** Resolves once the server is well; then every question and its reply are stored once. */
  async function untilStored(): Promise<void> {
    await machine.untilWell();
    const rows = await database.sql(
      `select q.content as text, t.status, r.content as reply from messages q
         left join turns t on t.parent_id = q.id left join messages r on r.id = t.message_id
       where q.role = 'user' order by q.created_at, q.content`,
    );
    const found = rows.filter(({ text }) => said.some((turn) => turn.text === text));
    assert.deepEqual(
      found.map((row) => JSON.stringify(row)).toSorted(),
      said
        .map(({ text, status }) =>
          status === 200
            ? JSON.stringify({ text, status: "complete", reply: "Hello." })
            : JSON.stringify({ text, status: "failed", reply: null }),
        )
        .toSorted(),
    );
  }

  test("Database unavailable: turns go on, and all of them are stored once it is back", async () => {
    const walk = new Walk("Database unavailable", machine);
    await say("Before");
    const earlier = await machine.scrape();
    const { server } = database.harness;
    server.kill("SIGKILL");
    const turn = await say("During");
    await walk.checkSigns(earlier);
    assert.equal(await readRefusal(turn), "store_unavailable");
    await walk.run(0);
    await server.restart();
    await untilStored();
    await walk.run(1);
    await walk.run(2);
  });

  test("Disk full: turns go on while one disk has room, and are refused before one could be lost", async (context) => {
    const walk = new Walk("Disk full", machine);
    const earlier = await machine.scrape();
    await database.sql(fillDatabase);
    const turn = await say("During");
    await walk.checkSigns(earlier);
    assert.equal(await readRefusal(turn), "store_full");
    await walk.run(0);
    if (isSmallDisk) {
      const fill = join(folder.path, ".foreword", "fill");
      const { bavail, bsize } = await statfs(join(folder.path, ".foreword"));
      await writeFile(fill, Buffer.alloc(bavail * bsize));
      const calls = model.calls.length;
      const refused = await machine.chat("x".repeat(900_000));
      assert.equal(model.calls.length, calls);
      assert.deepEqual([refused.status, /"code":"(\w+)"/.exec(refused.body)?.[1]], [503, "store_full"]);
      await rm(fill);
      await say("After");
    } else context.diagnostic("a small disk can be mounted by root only");
    await database.sql(emptyDatabase);
    await untilStored();
    await walk.run(1);
    await walk.run(2);
  });

  test("Schema mismatch: an older schema is migrated, a newer one is left alone, and every turn is stored", async () => {
    const walk = new Walk("Schema mismatch", machine);
    const earlier = await machine.scrape();
    await database.sql(await loadSchemaOf(5, { isForced: true }));
    const turn = await say("Older");
    await walk.checkSigns(earlier);
    assert.equal(await readRefusal(turn), "store_schema_mismatch");
    await walk.run(0);
    await walk.run(1);
    await untilStored();
    await database.sql(await loadSchemaOf(schemaVersion + 1));
    await walk.run(0);
    await walk.run(2);
    await say("Newer"); // late, since the pause before the next attempt grows
    // As if the newer build had been started.
    await database.sql(await loadSchemaOf(schemaVersion, { isForced: true }));
    await untilStored();
    await walk.run(3);
  });

  test("Model down: the question is kept with a failed turn, and the next reply is whole", async () => {
    const walk = new Walk("Model down", machine);
    const earlier = await machine.scrape();
    const port = Number(new URL(model.url).port);
    await model.close();
    const turn = await machine.chat("Nobody?");
    assert.deepEqual([turn.status, /"code":"(\w+)"/.exec(turn.body)?.[1]], [503, "model_unavailable"]);
    said.push(turn);
    await walk.checkSigns(earlier);
    await walk.run(0);
    await model.start(port);
    await walk.run(1);
    await untilStored();
  });

  test("Journal growing: rejected writes are shown, saved, and stored by a retry", async () => {
    const walk = new Walk("Journal growing", machine);
    const earlier = await machine.scrape();
    await database.sql("alter table messages add constraint no_swearing check (content not like 'Damn%')");
    await say(`Damn ${"x".repeat(900_000)}`);
    await walk.checkSigns(earlier);
    await walk.run(0);
    await database.sql("alter table messages drop constraint no_swearing");
    await walk.run(1);
    await untilStored();
    await walk.run(2);
  });

  test("A user over limits: the log names user and limit, and turns begin once it is raised", async () => {
    const walk = new Walk("A user over limits", machine);
    const earlier = await machine.scrape();
    const userId = randomUUID();
    const called = model.nextCall();
    const running = say("Long", userId);
    const call = await called;
    const refused = await machine.chat("Too many", userId);
    assert.equal(refused.status, 429);
    await walk.checkSigns(earlier);
    await walk.run(0, { USER_ID: userId });
    await machine.configure({ LIMIT_CONCURRENT_TURNS: "2" });
    call.text("- Think\n---RESPONSE---\n").text("Hello.").finish();
    await running;
    model.say("- Think\n---RESPONSE---\n", "Hello.");
    assert.equal(await machine.stop(), 0);
    await machine.start();
    await walk.run(1, { USER_ID: userId });
    await untilStored();
  });

  test(
    "Upgrade the servers, Roll back an upgrade: both builds serve the newer schema, and no turn is lost",
    { skip: missing },
    async (context) => {
      const url = await database.harness.server.createDatabase("upgraded");
      const previous = await unpackPreviousBuild();
      context.after(() => previous.remove());
      await runSql(url, [previous.schema]);
      const settings = { DATABASE_URL: url, OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted-1" };
      const server = await Machine.create(join(folder.path, "upgraded"), {
        ...settings,
        DRAIN_SECONDS: "20",
      });
      context.after(() => server.close());
      await server.install(previous.command);
      await server.start();
      const userId = randomUUID();
      const turns: Said[] = [await server.chat("Old", userId)];

      const upgrade = new Walk("Upgrade the servers", server);
      await server.install();
      await upgrade.run(0);
      turns.push(await server.chat("Old build, new schema", userId));
      const called = model.nextCall();
      const running = server.chat("Replaced meanwhile", userId);
      const call = await called;
      const stopped = server.stop();
      await server.logged(({ msg }) => msg === readQuoted(upgrade.incident.signs.get("log"))[0]);
      await upgrade.checkReady();
      call.text("- Think\n---RESPONSE---\n").text("Hello.").finish();
      turns.push(await running);
      model.say("- Think\n---RESPONSE---\n", "Hello.");
      assert.equal(await stopped, 0);
      await server.start();
      await server.untilWell();
      await upgrade.run(1);
      turns.push(await server.chat("New", userId));

      const rollback = new Walk("Roll back an upgrade", server);
      assert.equal(await server.stop(), 0);
      await server.install(previous.command);
      await server.start();
      await rollback.checkReady();
      await rollback.run(0);
      await rollback.run(1);
      turns.push(await server.chat("Old again", userId));
      await server.untilWell();
      await rollback.run(2);
      for (const { status, body } of turns)
        assert.deepEqual([status, body], [200, "- Think\n---RESPONSE---\nHello."]);
      const rows = await runSql(url, [
        "select q.content as text from turns t join messages q on q.id = t.parent_id where t.status = 'complete' order by t.started_at",
      ]);
      assert.deepEqual(
        rows.map(({ text }) => text),
        turns.map(({ text }) => text),
      );
    },
  );

  test("Moving: the commands bring a chat from the embedded database to Postgres, and on by a pipe", async (context) => {
    const place = join(folder.path, "moved");
    const mover = await Machine.create(place, { DEMO_MODE: "true" });
    context.after(() => mover.close());
    await fillDataFolder(parseConfig({ DATA_DIR: join(place, ".foreword") }).app.store);
    await mover.start();
    assert.equal((await mover.chat("Moved")).status, 200);
    assert.equal(await mover.stop(), 0);
    const { server } = database.harness;
    const [first, second] = [await server.createDatabase("moved"), await server.createDatabase("piped")];
    await runSql(second, [await loadSchemaOf()]);
    const [step] = readSteps(readSection("## Moving"));
    assert.ok(step !== undefined);
    const output = await mover.run(step.commands.replaceAll("postgres://…", first), {
      OLD: first,
      NEW: second,
    });
    assert.equal(
      output.match(/^Imported \d+ rows, \d+ of them new\. All counts agree\.$/gm)?.length,
      2,
      output,
    );
    assert.doesNotMatch(output, /^WRONG/m);
    for (const url of [first, second])
      assert.equal((await runSql(url, ["select from messages where content = 'Moved'"])).length, 1);
  });

  test("every command of every incident has run", { skip: missing }, () => {
    for (const title of listIncidents())
      for (const [index] of readIncident(title).steps.entries()) {
        const { anchor } = readIncident(title);
        assert.ok(done.has(`${anchor} ${index}`), `${title}, ${index}`);
      }
  });
});
