/** The journal's limits: permanently rejected writes, conversations deleted meanwhile, a full journal. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { makeFolder, readResponse, type RunningApp } from "../support/apps/start-app.ts";
import { startPglite } from "../support/databases/store-harness.ts";
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
import { useModel, useResource, useStartApp } from "../support/apps/use-app.ts";

const model = useModel();
const startApp = useStartApp(model, { CHAT_STORE_ENABLED: "true" });
let teller: Teller;
before(() => {
  teller = new Teller(model);
});

/** Runs `run` with an app on `site` that has its own folder. */
async function withApp(
  site: Site,
  more: Readonly<Record<string, string>>,
  run: (app: RunningApp) => Promise<void>,
  dataDir?: string,
): Promise<void> {
  const folder = await makeFolder();
  const app = await startApp({
    ...site.variables,
    DATA_DIR: dataDir ?? folder.path,
    ...more,
  });
  try {
    await run(app);
  } finally {
    site.proxy.pass();
    await app.close();
    await folder.remove();
  }
}

async function countRows(site: Site, { conversationId }: Talk): Promise<unknown> {
  const [row] = await site.sql(
    `select (select count(*)::integer from conversations where id = '${conversationId}') as conversations,
       (select count(*)::integer from messages where conversation_id = '${conversationId}') as messages,
       (select count(*)::integer from turns where conversation_id = '${conversationId}') as turns`,
  );
  return row;
}

const nothing = { conversations: 0, messages: 0, turns: 0 };

async function deleteConversation(site: Site, { conversationId }: Talk): Promise<void> {
  await site.sql(`delete from conversations where id = '${conversationId}'`);
}

/** Requests a turn that cannot start, and checks its refusal. */
async function checkRefused(app: RunningApp, text: string): Promise<void> {
  const { status, headers, body } = await app.chat(text, { conversationId: randomUUID() });
  assert.deepEqual([status, JSON.parse(body).code], [503, "store_unavailable"]);
  assert.match(headers["retry-after"] ?? "", /^[1-9]\d*$/);
}

for (const [name, start] of [
  ["Postgres", startPostgresSite],
  ["PostgREST", startSupabaseSite],
] as const) {
  describe(`with ${name}`, { timeout: 120_000 }, () => {
    let site: Site;
    useResource(async (closing) => {
      site = closing.adopt(await start(), (started) => started.stop());
    });

    test("a conversation deleted while its turn runs stays deleted", async () => {
      await withApp(site, {}, async (app) => {
        const talk = new Talk(teller);
        await talk.say(app, `Before ${randomUUID()}`);
        const turn = await talk.hold(app, `Held ${randomUUID()}`, ["- a", `${boundary}b`]);
        await deleteConversation(site, talk);
        turn.call.text(`${boundary}b`).finish();
        await turn.finish(new Waits());
        await app.logged((line) => line.turnId === turn.turnId && /deleted/.test(line.msg));
        assert.deepEqual(await countRows(site, talk), nothing);
      });
    });

    test("a conversation deleted while a turn's end, and a whole turn, wait in the journal stays deleted", async () => {
      await withApp(site, {}, async (app) => {
        const [talk, other] = [new Talk(teller), new Talk(teller)];
        const turn = await talk.hold(app, `Held ${randomUUID()}`, ["- a", `${boundary}b`]);
        site.proxy.refuse();
        turn.call.text(`${boundary}b`).finish();
        await turn.finish(new Waits());
        await talk.say(app, `Later ${randomUUID()}`, true);
        await other.say(app, `Elsewhere ${randomUUID()}`, true);
        await deleteConversation(site, talk);
        site.proxy.pass();
        await untilReplayed(app);
        assert.deepEqual(await countRows(site, talk), nothing);
        await other.check(site);
      });
    });

    test("a permanently rejected question gets its reply and is quarantined with its turn's end; others are stored", async () => {
      await withApp(site, {}, async (app) => {
        await site.sql("alter table messages add constraint no_poison check (content not like '%poison%')");
        try {
          const [bad, good] = [new Talk(teller), new Talk(teller)];
          await bad.say(app, `poison ${randomUUID()}`);
          assert.deepEqual((await readReady(app)).parts.journal, { queued: 0, rejected: 2 });
          await good.say(app, `Fine ${randomUUID()}`);
          await good.check(site);
          assert.deepEqual(await countRows(site, bad), nothing);

          site.proxy.refuse(); // the journal's writes are refused too
          await new Talk(teller).say(app, `poison ${randomUUID()}`, true);
          await good.say(app, `Fine, too ${randomUUID()}`, true);
          site.proxy.pass();
          await untilReplayed(app);
          assert.deepEqual((await readReady(app)).parts.journal, { queued: 0, rejected: 4 });
          await good.check(site);
        } finally {
          await site.sql("alter table messages drop constraint no_poison");
        }
      });
    });

    test("a permanently rejected reply is quarantined; neither its turn nor others are left running", async () => {
      await withApp(site, {}, async (app) => {
        await site.sql("alter table messages add constraint no_poison check (content not like '%poison%')");
        try {
          const [bad, late, good] = [new Talk(teller), new Talk(teller), new Talk(teller)];
          const parts = [`- a${boundary}poison`, " and more"] as const;
          const turn = await bad.hold(app, `Held ${randomUUID()}`, parts);
          const saved = `select position from turn_pieces where turn_id = '${turn.turnId}'`;
          while ((await site.sql(saved)).length === 0); // recovery's write is refused, too
          const other = await late.hold(app, `Held ${randomUUID()}`, parts);
          for (const held of [turn, other]) {
            held.call.text(parts[1]).finish();
            await held.finish(new Waits());
          }
          assert.deepEqual((await readReady(app)).parts.journal, { queued: 0, rejected: 2 });
          await good.say(app, `Fine ${randomUUID()}`);
          await good.check(site);
          for (const { turnId } of [turn, other]) {
            await app.logged((line) => line.turnId === turnId && /marked interrupted/.test(line.msg));
            const [row] = await site.sql(`select status from turns where id = '${turnId}'`);
            assert.equal(row?.["status"], "interrupted");
          }
        } finally {
          await site.sql("alter table messages drop constraint no_poison");
        }
      });
    });

    test("a full journal refuses new turns while the store is away, lets running ones end, and stores all it accepted", async () => {
      await withApp(site, { JOURNAL_MAX_MIB: "1" }, async (app) => {
        const running = new Talk(teller);
        const rest = `${boundary}${randomUUID()}`;
        const turn = await running.hold(app, `Held ${randomUUID()}`, ["- a", rest]);
        site.proxy.refuse();
        const talks: Talk[] = [];
        const fill = "x".repeat(10_000);
        for (;;) {
          const talk = new Talk(teller);
          const { status } = await app.chat(fill, {
            userId: talk.userId,
            conversationId: talk.conversationId,
          });
          if (status !== 200) break;
          talks.push(talk);
          assert.ok(talks.length < 100, "1 MiB holds less");
        }
        assert.ok(talks.length >= 3, `${talks.length} turns found room`);
        await checkRefused(app, fill);
        turn.call.text(rest).finish();
        await turn.finish(new Waits());
        assert.equal((await readReady(app)).status, "degraded");
        site.proxy.pass();
        await untilReplayed(app);
        await running.say(app, `Again ${randomUUID()}`);
        await running.check(site);
        for (const talk of talks)
          assert.deepEqual(await countRows(site, talk), { conversations: 1, messages: 2, turns: 1 });
      });
    });

    test("without a usable journal, new turns are refused while the store is away, and running ones end", async () => {
      const folder = await makeFolder();
      await writeFile(join(folder.path, "journal"), "in the way");
      await withApp(
        site,
        {},
        async (app) => {
          const talk = new Talk(teller);
          await talk.say(app, `Before ${randomUUID()}`);
          const other = new Talk(teller);
          const turn = await other.hold(app, `Held ${randomUUID()}`, ["- a", `${boundary}b`]);
          site.proxy.refuse();
          await checkRefused(app, "Me too");
          turn.call.text(`${boundary}b`).finish();
          await turn.finish(new Waits());
          assert.deepEqual((await readReady(app)).parts.journal, undefined);
          site.proxy.pass();
          await untilReady(app, "ok");
          await talk.say(app, `After ${randomUUID()}`);
          await talk.check(site);
        },
        folder.path,
      );
      await folder.remove();
    });
  });
}

describe("with PGlite", { timeout: 120_000 }, () => {
  test("writes left in a journal are stored once the embedded database replaces an unavailable one", async (context) => {
    const harness = await startPglite();
    context.after(() => harness.stop());
    const nowhere = { ...harness.variables, DATABASE_URL: "postgres://nobody:nothing@127.0.0.1:9/none" };
    const talks = [new Talk(teller), new Talk(teller)];
    let app = await startApp(nowhere);
    for (const talk of talks) await talk.say(app, `First ${randomUUID()}`, true);
    await app.close();
    app = await startApp(nowhere);
    for (const talk of talks) await talk.say(app, `Second ${randomUUID()}`, true);
    assert.equal((await readReady(app)).parts.journal?.queued, 8);
    await app.close();
    app = await startApp(harness.variables);
    for (const talk of talks) await talk.say(app, `Third ${randomUUID()}`);
    await untilReplayed(app);
    await app.close();
    for (const talk of talks) await talk.check(harness);
  });

  test("turns begun, saved and ended while the app closes are all stored when it opens again, none running", async (context) => {
    const harness = await startPglite();
    context.after(() => harness.stop());
    let app = await startApp(harness.variables);
    const seen = new Map<string, string>();
    const questions = Array.from({ length: 12 }, (_, index) => `${index} ${randomUUID()}`);
    const calls = questions.map((question) => teller.wait(question));
    const openings = questions.map((text) =>
      app.open("POST", "/stream-chat", { messages: [{ sender: "user", text }], userId: randomUUID() }),
    );
    for (const call of calls) (await call).text(`- a${boundary}Half`);
    const readings = openings.map(async (opening) => {
      const response = await opening;
      const { body } = await readResponse(response);
      seen.set(String(response.headers["x-turn-id"]), body);
    });
    await Promise.all(openings);
    for (const call of calls.slice(0, 6)) (await call).text(" and whole.").finish();
    await app.close(); // at once: running turns are interrupted
    await Promise.all(readings);
    app = await startApp(harness.variables);
    await untilReplayed(app);
    await app.close();
    const rows = await harness.sql(
      `select t.id, t.status, t.plan, t.answer, u.content as question, r.content as reply from turns t
       join messages u on u.id = t.parent_id join messages r on r.id = t.message_id`,
    );
    assert.equal(rows.length, questions.length);
    for (const { id, status, plan, answer, reply } of rows) {
      const body = seen.get(String(id)) ?? "";
      assert.equal(status, body.includes("[error] interrupted") ? "interrupted" : "complete");
      assert.equal(`${String(plan)}${boundary}${String(answer)}`, body.replace(/\n\[error\].*\n$/, ""));
      assert.equal(reply, answer);
    }
    const [counts] = await harness.sql("select count(*)::integer as messages from messages");
    assert.deepEqual(counts, { messages: 2 * questions.length });
  });
});
