/** Turns lose nothing and store nothing twice when their database dies, freezes, or loses results. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, test, type TestContext } from "node:test";
import { Client } from "pg";
import { schemaVersion } from "../../src/store/database/database.ts";
import { makeFolder, type RunningApp } from "../support/apps/start-app.ts";
import {
  boundary,
  readReady,
  startPostgresSite,
  startSupabaseSite,
  Talk,
  Teller,
  untilReplayed,
  untilReady,
  Waits,
  type Site,
} from "./database-bench.ts";
import { toVariables, useModel, useResource } from "../support/apps/use-app.ts";
import { startApp } from "../support/apps/start-app.ts";

/** A way to break a database, and to repair it. */
interface Fault {
  /** The database's behaviour, for the test's name. */
  readonly title: string;
  readonly strike: (site: Site) => void;
  readonly repair: (site: Site) => unknown;
  /** Whether the app is closed and opened again in between. */
  readonly isReopened: boolean;
}

const faults: readonly Fault[] = [
  {
    title: "is killed",
    strike: ({ postgres }) => postgres.kill("SIGKILL"),
    repair: ({ postgres }) => postgres.restart(),
    isReopened: false,
  },
  {
    title: "is killed, and the app starts again without it",
    strike: ({ postgres }) => postgres.kill("SIGKILL"),
    repair: ({ postgres }) => postgres.restart(),
    isReopened: true,
  },
  {
    title: "freezes",
    strike: ({ postgres }) => postgres.freeze(),
    repair: ({ postgres }) => postgres.thaw(),
    isReopened: false,
  },
  {
    title: "is behind a black hole",
    strike: ({ proxy }) => proxy.blackHole(),
    repair: ({ proxy }) => (proxy.pass(), proxy.cutAll()),
    isReopened: false,
  },
  {
    title: "is behind a black hole, and the app starts again without it",
    strike: ({ proxy }) => proxy.blackHole(),
    repair: ({ proxy }) => (proxy.pass(), proxy.cutAll()),
    isReopened: true,
  },
];

/** Starts an app with a folder of its own that can be closed and opened again. */
class Bench {
  readonly #variables: Record<string, string>;
  readonly #remove: () => Promise<void>;
  app: RunningApp;

  private constructor(variables: Record<string, string>, app: RunningApp, remove: () => Promise<void>) {
    this.#variables = variables;
    this.app = app;
    this.#remove = remove;
  }

  static async open(site: Site): Promise<Bench> {
    const folder = await makeFolder();
    const variables = { ...site.variables, DATA_DIR: folder.path };
    return new Bench(variables, await startApp(toVariables(model, { variables })), () => folder.remove());
  }

  async reopen(): Promise<void> {
    await this.app.close();
    this.app = await startApp(toVariables(model, { variables: this.#variables }));
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.#remove();
  }
}

const model = useModel();
let teller: Teller;
before(() => {
  teller = new Teller(model);
});

describe("turns lose nothing and store nothing twice", { concurrency: 2, timeout: 200_000 }, () => {
  for (const [name, start] of [
    ["Postgres", startPostgresSite],
    ["PostgREST", startSupabaseSite],
  ] as const) {
    describe(`when ${name}`, { concurrency: 1 }, () => {
      let site: Site;
      useResource(async (closing) => {
        site = closing.adopt(await start(), (started) => started.stop());
      });

      for (const fault of faults) {
        test(`${fault.title} before a turn, in its middle, and at its end`, async (t) => {
          const bench = await Bench.open(site);
          try {
            await sufferOutage(t, site, bench, fault);
          } finally {
            await bench.close();
          }
        });
      }

      test("loses each of its three results after COMMIT", async (t) => {
        const bench = await Bench.open(site);
        try {
          await loseResults(t, site, bench);
        } finally {
          await bench.close();
        }
      });
    });
  }
});

describe("progress saved at the same time as the end of its turn", { timeout: 60_000 }, () => {
  test("leaves no pieces behind", async () => {
    const site = await startPostgresSite();
    const [ending, saving] = [1, 2].map(() => new Client({ connectionString: site.postgres.url }));
    assert.ok(ending && saving);
    await Promise.all([ending.connect(), saving.connect()]);
    const [id, conversation] = [randomUUID(), randomUUID()];
    await site.sql(
      `insert into conversations (id, title) values ('${conversation}', 'x')`,
      `insert into turns (id, conversation_id) values ('${id}', '${conversation}')`,
    );
    const ask = (name: string, argument: object): [string, string[]] => [
      `select public.${name}($1)`,
      [JSON.stringify({ schema_version: schemaVersion, ...argument })],
    ];
    await ending.query("begin");
    await ending.query(...ask("chat_end_turn", { turn: { id, status: "complete" }, reply: null }));
    const pieces = [{ turn_id: id, position: 0, text: "late" }];
    const saved = saving.query(...ask("chat_save_progress", { running: [id], pieces }));
    const blocked =
      "select pid from pg_stat_activity where wait_event_type = 'Lock' and query like '%chat_save_progress%'";
    while ((await site.sql(blocked)).length === 0);
    await ending.query("commit");
    await saved;
    assert.deepEqual(await site.sql("select text from turn_pieces"), []);
    await Promise.all([ending.end(), saving.end()]);
    await site.stop();
  });
});

async function sufferOutage(t: TestContext, site: Site, bench: Bench, fault: Fault): Promise<void> {
  const [finishing, streaming, coming, returning] = Array.from({ length: 4 }, () => new Talk(teller));
  assert.ok(finishing && streaming && coming && returning);
  await returning.say(bench.app, `Before ${randomUUID()}`);
  const [end, middle] = await Promise.all([
    finishing.hold(bench.app, `End ${randomUUID()}`, ["- a", `${boundary}Whole: é😀.`]),
    streaming.hold(bench.app, `Middle ${randomUUID()}`, ["- b", `${boundary}${"Much.".repeat(2_000)}`]),
  ]);
  const held = [end, middle].map(({ turnId }) => `'${turnId}'`).join();
  const begun = await site.sql(
    `select t.id from turns t join messages m on m.id = t.parent_id and m.role = 'user' where t.id in (${held})`,
  );
  assert.equal(begun.length, 2, "a first byte came before its message was in the rows");

  const waits = new Waits();
  let mendedMs: number;
  fault.strike(site);
  try {
    const seen = untilReady(bench.app, "degraded");
    end.call.text(`${boundary}Whole: é😀.`).finish();
    middle.call.text(boundary).text("Much.".repeat(1_000));
    await end.finish(waits);
    await coming.say(bench.app, `First ${randomUUID()}`, true, waits);
    const { clockMs: seenMs, ownMs } = await seen;
    assert.ok(ownMs < 5_000, `/readyz said so after ${ownMs} ms`);
    t.diagnostic(`figure: ${site.name} ${fault.title}: seen in /readyz after ${Math.round(seenMs)} ms`);
    await coming.say(bench.app, `Second ${randomUUID()}`, true, waits);
    await returning.say(bench.app, `During ${randomUUID()}`, true, waits);
    middle.call.text("Much.".repeat(1_000)).finish();
    await middle.finish(waits);
    await streaming.say(bench.app, `Again ${randomUUID()}`, true, waits);
    if (fault.isReopened) {
      await bench.reopen();
      await coming.say(bench.app, `Reopened ${randomUUID()}`, true, waits);
    }
    assert.ok(((await readReady(bench.app)).parts.journal?.queued ?? 0) >= 8, "writes wait");
  } finally {
    await fault.repair(site);
    mendedMs = performance.now();
  }
  await untilReplayed(bench.app);
  const landedMs = performance.now() - mendedMs;
  await untilReady(bench.app, "ok");
  await coming.say(bench.app, `After ${randomUUID()}`);
  let [lost, duplicates] = [0, 0];
  for (const talk of [finishing, streaming, coming, returning]) {
    const found = await talk.check(site);
    lost += found.lost;
    duplicates += found.duplicates;
  }
  t.diagnostic(
    `figure: ${site.name} ${fault.title}: saves lost ${lost}, duplicates ${duplicates}, ` +
      `longest wait for the first byte ${Math.round(waits.firstByteMs)} ms, for the end ${Math.round(waits.endMs)} ms, ` +
      `from the return to the last landing ${Math.round(landedMs)} ms`,
  );
}

/**
 * Cuts connections that carry a result, until one was the result of a write of the turn that `run` starts.
 */
async function cutResponse(bench: Bench, run: () => Promise<string>): Promise<void> {
  for (;;) {
    const turnId = await run();
    await untilReplayed(bench.app);
    // Sometimes the cut result belongs to recovery, which makes a call every few seconds.
    if (bench.app.logs.some((line) => line.turnId === turnId && line.msg === "write queued in the journal"))
      return;
  }
}

async function loseResults(t: TestContext, site: Site, bench: Bench): Promise<void> {
  const talk = new Talk(teller);
  const waits = new Waits();
  await talk.say(bench.app, `Before ${randomUUID()}`);
  await cutResponse(bench, async () => {
    site.proxy.cutAfterBytes(0);
    return await talk.say(bench.app, `Begin ${randomUUID()}`, false, waits);
  });
  await cutResponse(bench, async () => {
    const rest = `${boundary}${randomUUID()}`;
    const turn = await talk.hold(bench.app, `End ${randomUUID()}`, ["- a", rest]);
    site.proxy.cutAfterBytes(0);
    turn.call.text(rest).finish();
    await turn.finish(waits);
    return turn.turnId;
  });
  const turn = await talk.hold(bench.app, `Middle ${randomUUID()}`, ["- a", `${boundary}b`]);
  site.proxy.cutAfterBytes(0);
  await site.proxy.nextCut(); // of the result of its progress
  turn.call.text(`${boundary}b`).finish();
  await turn.finish(waits);
  await untilReplayed(bench.app);
  const { lost, duplicates } = await talk.check(site);
  t.diagnostic(
    `figure: ${site.name} loses answers after COMMIT: saves lost ${lost}, duplicates ${duplicates}, ` +
      `longest wait for the first byte ${Math.round(waits.firstByteMs)} ms`,
  );
}
