/** Turns during a database outage: they stream on, complete, and are stored once the database is back. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer, request, type Server } from "node:http";
import { after, before, describe, test } from "node:test";
import { loadSchema } from "../../../src/store/schema/schema.ts";
import { systemClock, type Clock } from "../../../src/base/clock.ts";
import { listen } from "../../support/network/local-port.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import { ScriptedModel } from "../../support/model/scripted-model.ts";
import { readResponse, startApp, type AppResponse, type RunningApp } from "../../support/apps/start-app.ts";
import { startSupabaseStack, type SupabaseStack } from "../../support/databases/supabase-stack.ts";
import { startTcpProxy, type TcpProxy } from "../../support/network/tcp-proxy.ts";
import { runSql, startPglite } from "../../support/databases/store-harness.ts";

const reply = "- Think\n---RESPONSE---\nHello.";
const storeWaitMs = 500;
/** The interval between two looks for abandoned turns. */
const lookMs = 4_000;
const readyTimeoutMs = 1_000;
/** How far a stopped clock is moved between two looks. */
const stepMs = 50;

let stack: SupabaseStack;
let model: ScriptedModel;
/** In front of Postgres. */
let postgres: TcpProxy;
/** In front of Supabase's HTTP API. */
let supabase: TcpProxy;
before(async () => {
  [stack, model] = await Promise.all([startSupabaseStack(), ScriptedModel.start()]);
  postgres = await startTcpProxy(stack.postgres.port);
  supabase = await startTcpProxy(Number(new URL(stack.url).port));
});
after(async () => {
  await Promise.all([postgres.close(), supabase.close(), model.close(), stack.stop()]);
});

const stores = {
  Postgres: () => ({ DATABASE_URL: `postgres://postgres:postgres@127.0.0.1:${postgres.port}/postgres` }),
  PostgREST: () => toSupabase(`http://127.0.0.1:${supabase.port}`),
} as const;

function toSupabase(url: string): Record<string, string> {
  return { SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: stack.serviceRoleKey };
}

/** Starts an app on the store in `variables`, and closes it when `run` is over. */
async function withApp(
  variables: Record<string, string>,
  run: (app: RunningApp) => Promise<void>,
  clock: Clock = systemClock,
): Promise<void> {
  const base = { CHAT_STORE_ENABLED: "true", OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" };
  const app = await startApp({ ...base, ...variables }, clock);
  try {
    await run(app);
  } finally {
    await app.close();
  }
}

/**
 * Starts an app whose calls are those of its turns alone: its clock stops after its first look for abandoned
 * turns, and no connection waits for wake-ups. A response that is cut is then the one of a turn.
 */
async function withQuietApp(
  store: keyof typeof stores,
  run: (app: RunningApp, clock: ManualClock) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock();
  const toRun = async (app: RunningApp): Promise<void> => {
    await clock.timer(lookMs);
    await run(app, clock);
  };
  await withApp({ ...stores[store](), DATABASE_WAKE_UPS: "false" }, toRun, clock);
}

/** One user's chat: its messages, conversation and storage. */
class Chat {
  readonly userId = randomUUID();
  readonly conversationId = randomUUID();
  readonly #app: RunningApp;
  readonly #messages: { sender: string; text: string }[] = [];

  constructor(app: RunningApp) {
    this.#app = app;
  }

  /** The body of the next request. */
  ask(text: string): object {
    this.#messages.push({ sender: "user", text });
    const { userId, conversationId } = this;
    return { messages: [...this.#messages], userId, conversationId };
  }

  /**
   * Checks the response to {@link ask}: complete and stored; or queued in the journal, because of `outage`.
   */
  async check(answer: AppResponse, outage?: { readonly code: string | undefined }): Promise<void> {
    assert.deepEqual([answer.status, answer.isComplete, answer.body], [200, true, reply]);
    this.#messages.push({ sender: "bot", text: answer.body });
    const turnId = answer.headers["x-turn-id"];
    const { storage } = await this.#app.logged((line) => line.turnId === turnId && line.msg === "turn");
    assert.equal(storage, outage === undefined ? "stored" : "queued");
    const waiting = this.#app.logs.filter(
      ({ msg, turnId: id }) => id === turnId && msg === "write queued in the journal",
    );
    assert.equal(waiting[0]?.code, outage?.code);
  }

  /** Runs a turn. */
  async say(text: string, outage?: { readonly code: string | undefined }): Promise<void> {
    await this.check(await this.#app.post("/stream-chat", this.ask(text)), outage);
  }

  /**
   * The database is back: everything is stored once and in order, without a request; the next turn at once.
   */
  async checkRecovery(clock?: ManualClock): Promise<void> {
    for (;;) {
      const { status, queued } = await readReady(this.#app);
      if (status === "ok" && queued === 0) break;
      clock?.advance(stepMs);
    }
    await this.#checkRows();
    await this.say("More");
    await this.#checkRows();
  }

  async #checkRows(): Promise<void> {
    const rows = await readMessages(this.#app.app.store.database, this.conversationId, this.userId);
    const said = this.#messages.map(({ text }) => (text === reply ? "Hello." : text));
    assert.deepEqual(
      rows.map(({ content }) => content),
      said,
    );
  }
}

async function readReady(
  app: RunningApp,
): Promise<{ readonly status: string; readonly code: string | undefined; readonly queued: number }> {
  const { status: httpStatus, body } = await app.get("/readyz");
  assert.equal(httpStatus, 200);
  const { status, parts } = JSON.parse(body);
  return { status, code: parts.store.code, queued: parts.journal.queued };
}

/** The server's health with a turn in its journal. */
async function checkDegraded(app: RunningApp, code: string): Promise<void> {
  assert.deepEqual(await readReady(app), { status: "degraded", code, queued: 2 });
}

/** A turn during an outage, its recovery, and the responses of `/readyz` in between. */
async function checkOutage(app: RunningApp, code: string, repair: () => unknown): Promise<void> {
  const chat = new Chat(app);
  await chat.say("Hi", { code });
  await checkDegraded(app, code);
  await repair();
  await chat.checkRecovery();
}

async function applySchema(): Promise<void> {
  const names = { conversations: "conversations", messages: "messages", turns: "turns" };
  await runSql(stack.databaseUrl, [await loadSchema(names)]);
  await stack.reloadSchema();
}

describe("a turn on a database without the schema streams all the same", { timeout: 120_000 }, () => {
  for (const [store, toVariables] of Object.entries(stores)) {
    test(`on ${store}, and the next is stored once the schema is applied`, async () => {
      await runSql(stack.databaseUrl, [
        "drop schema public cascade",
        "create schema public",
        "grant usage on schema public to anon, authenticated, service_role",
      ]);
      await stack.reloadSchema();
      await withApp(toVariables(), (app) => checkOutage(app, "store_schema_missing", applySchema));
    });
  }

  test("on PGlite without notice: its functions are created again at the start", async () => {
    const harness = await startPglite();
    try {
      await (await harness.open(systemClock)).close();
      await harness.sql(
        `do $$ declare v_function regprocedure; begin
           for v_function in select oid::regprocedure from pg_proc where proname like 'chat\\_%' loop
             execute format('drop function %s cascade', v_function);
           end loop; end $$`,
      );
      await withApp({ ...harness.variables }, async (app) => new Chat(app).checkRecovery());
    } finally {
      await harness.stop();
    }
  });
});

describe("a turn whose database fails at once streams all the same", { timeout: 120_000 }, () => {
  const proxies = { Postgres: () => postgres, PostgREST: () => supabase } as const;
  for (const store of ["Postgres", "PostgREST"] as const) {
    test(`with ${store} refusing connections`, async () => {
      await withApp(stores[store](), async (app) => {
        proxies[store]().refuse();
        await checkOutage(app, "store_unavailable", () => proxies[store]().pass());
      });
    });

    test(`with the connection to ${store} cut before the response to the turn's begin`, async () => {
      await withQuietApp(store, async (app, clock) => {
        const chat = new Chat(app);
        await chat.say("Hi");
        proxies[store]().cutAfterBytes(0);
        await chat.say("Are you there?", { code: "store_unavailable" });
        await chat.checkRecovery(clock);
      });
    });

    test(`with the connection to ${store} cut before the response to the turn's end`, async () => {
      await withQuietApp(store, async (app, clock) => {
        const chat = new Chat(app);
        const next = model.nextCall();
        const opening = app.open("POST", "/stream-chat", chat.ask("Hi"));
        const call = await next;
        call.text(reply.slice(0, 12));
        const response = await opening; // the begin is stored
        proxies[store]().cutAfterBytes(0);
        call.text(reply.slice(12)).finish();
        model.say(reply);
        await chat.check(await readResponse(response), { code: "store_unavailable" });
        await chat.checkRecovery(clock);
      });
    });
  }

  test("with Postgres stopped, below PostgREST too", async () => {
    await withApp(stores.Postgres(), async (app) => {
      await withApp(stores.PostgREST(), async (otherApp) => {
        const chats = [new Chat(app), new Chat(otherApp)];
        for (const chat of chats) await chat.say("Hi");
        await stack.postgres.stop({ keepData: true });
        for (const chat of chats) await chat.say("Are you there?", { code: "store_unavailable" });
        for (const each of [app, otherApp]) await checkDegraded(each, "store_unavailable");
        await stack.postgres.restart();
        await stack.reloadSchema();
        for (const chat of chats) await chat.checkRecovery();
      });
    });
  });

  const pages: readonly [string, number, string, string][] = [
    [
      "as Supabase's does",
      502,
      "application/json",
      '{"message":"An invalid response was received from the upstream server"}',
    ],
    ["with a page", 521, "text/html", "<html><title>Web server is down</title></html>"],
    ["with nothing", 503, "text/plain", ""],
  ];
  for (const [how, status, type, page] of pages) {
    test(`with PostgREST down and its gateway responding ${how}`, async () => {
      const gateway = createFailingGateway(status, type, page);
      await withApp(toSupabase(`http://127.0.0.1:${await listen(gateway.server)}`), (app) =>
        checkOutage(app, "store_unavailable", gateway.repair),
      );
      gateway.server.closeAllConnections();
      gateway.server.close();
    });
  }
});

/** A gateway that does not know the project until it is fixed. */
function createFailingGateway(
  status: number,
  type: string,
  page: string,
): { readonly server: Server; readonly repair: () => void } {
  let isDown = true;
  const server = createServer((incoming, outgoing) => {
    if (isDown) {
      outgoing.writeHead(status, { "content-type": type }).end(page);
      return;
    }
    const { method, headers } = incoming;
    const upstream = request(`${stack.url}${incoming.url}`, { method, headers, agent: false }, (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    incoming.pipe(upstream);
  });
  return {
    server,
    repair: () => {
      isDown = false;
    },
  };
}

describe(
  "a turn whose database does not respond waits 500 ms, then continues from the journal",
  { timeout: 120_000 },
  () => {
    const outages: readonly [string, keyof typeof stores, () => void, () => void][] = [
      [
        "the network to Postgres swallowing everything",
        "Postgres",
        () => postgres.blackHole(),
        () => (postgres.pass(), postgres.cutAll()),
      ],
      ["Postgres frozen", "Postgres", () => stack.postgres.freeze(), () => stack.postgres.thaw()],
      [
        "the network to Supabase swallowing everything",
        "PostgREST",
        () => supabase.blackHole(),
        () => (supabase.pass(), supabase.cutAll()),
      ],
      [
        "Postgres frozen below PostgREST",
        "PostgREST",
        () => stack.postgres.freeze(),
        () => stack.postgres.thaw(),
      ],
    ];
    for (const [label, store, fail, repair] of outages) {
      for (const isConnected of [true, false]) {
        test(`with ${label}, ${isConnected ? "connected before" : "never connected"}`, async () => {
          const clock = new ManualClock();
          await withApp(
            stores[store](),
            async (app) => {
              const chat = new Chat(app);
              if (isConnected) await chat.say("Hi");
              fail();
              try {
                await checkWait(app, clock, chat);
              } finally {
                repair();
              }
              await chat.checkRecovery(clock);
            },
            clock,
          );
        });
      }
    }
  },
);

async function checkWait(app: RunningApp, clock: ManualClock, chat: Chat): Promise<void> {
  const next = model.nextCall();
  const opening = app.open("POST", "/stream-chat", chat.ask("Are you there?"));
  const call = await next;
  model.say(reply);
  call.text(reply).finish();
  await assertPending(app, opening);
  clock.advance(storeWaitMs - 1);
  await assertPending(app, opening);
  clock.advance(1);
  const answer = await readResponse(await opening);
  await chat.check(answer, { code: undefined });
  const ready = readReady(app);
  await clock.timer(readyTimeoutMs);
  clock.advance(readyTimeoutMs);
  assert.deepEqual(await ready, { status: "degraded", code: "store_unavailable", queued: 2 });
}

/** A response that had been written by now arrives before that to a new request. */
async function assertPending(app: RunningApp, answer: Promise<unknown>): Promise<void> {
  await app.get("/healthz");
  const pending = Symbol("pending");
  assert.equal(await Promise.race([answer, Promise.resolve(pending)]), pending);
}
