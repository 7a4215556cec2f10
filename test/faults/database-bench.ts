/** For tests of a failing database: databases behind a proxy, and talks that are checked against the rows. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import type { PostgresServer } from "../support/databases/postgres-server.ts";
import type { ScriptedCall, ScriptedModel } from "../support/model/scripted-model.ts";
import { readResponse, type RunningApp } from "../support/apps/start-app.ts";
import { startTcpProxy, type TcpProxy } from "../support/network/tcp-proxy.ts";
import {
  startPostgresHarness,
  startSupabaseHarness,
  type StoreHarness,
} from "../support/databases/store-harness.ts";
import { Stopwatch } from "../support/process/stopwatch.ts";

export const boundary = "\n---RESPONSE---\n";
/**
 * How long the first byte, and the end of a stream, may wait: 500 ms for the store, and as long again for the
 * databases' own processes, which get less of a busy machine.
 */
const maxWaitMs = 1_500;

const Ready = z.object({
  status: z.string(),
  parts: z.object({
    store: z.object({ status: z.string(), code: z.string().optional() }),
    journal: z.object({ queued: z.number(), rejected: z.number() }).optional(),
  }),
});

/** A database behind a proxy. */
export interface Site {
  readonly name: string;
  readonly postgres: PostgresServer;
  /** Between the app and the database, or its HTTP API. */
  readonly proxy: TcpProxy;
  readonly variables: Readonly<Record<string, string>>;
  /** Runs SQL past the proxy. */
  readonly sql: StoreHarness["sql"];
  stop(): Promise<void>;
}

/** Starts Postgres; the caller stops it. */
export async function startPostgresSite(): Promise<Site> {
  const harness = await startPostgresHarness();
  const { server } = harness;
  const proxy = await startTcpProxy(server.port);
  const variables = { DATABASE_URL: `postgres://postgres:postgres@127.0.0.1:${proxy.port}/postgres` };
  return toSite(harness, server, proxy, variables);
}

/** Starts Supabase's stack; the caller stops it. */
export async function startSupabaseSite(): Promise<Site> {
  const harness = await startSupabaseHarness();
  const { stack } = harness;
  const proxy = await startTcpProxy(Number(new URL(stack.url).port));
  const variables = { ...harness.variables, SUPABASE_URL: `http://127.0.0.1:${proxy.port}` };
  return toSite(harness, stack.postgres, proxy, variables);
}

function toSite(
  harness: StoreHarness,
  postgres: PostgresServer,
  proxy: TcpProxy,
  variables: Record<string, string>,
): Site {
  const stop = async (): Promise<void> => {
    await proxy.close();
    await harness.stop();
  };
  return { ...harness, postgres, proxy, variables, stop };
}

/** Resolves with the body of `/readyz`, whose status must be 200. */
export async function readReady(app: RunningApp): Promise<z.infer<typeof Ready>> {
  const { status, body } = await app.get("/readyz");
  assert.equal(status, 200);
  return Ready.parse(JSON.parse(body));
}

/** Resolves once `/readyz` reports `status`, with a watch that runs from now. */
export async function untilReady(app: RunningApp, status: "ok" | "degraded"): Promise<Stopwatch> {
  const watch = new Stopwatch();
  while ((await readReady(app)).status !== status);
  return watch;
}

/** Resolves once the journal is empty. Each stored write is logged. */
export async function untilReplayed(app: RunningApp): Promise<void> {
  const hasLanded = (): boolean => app.app.store.journal?.queued === 0;
  if (!hasLanded()) await app.logged(hasLanded);
  assert.equal((await readReady(app)).parts.journal?.queued, 0);
}

/** A model that replies to every question at once, except those that a test replies to itself. */
export class Teller {
  readonly #wanted = new Map<string, (call: ScriptedCall) => void>();

  constructor(model: ScriptedModel) {
    model.script = (call) => {
      const question = z.string().parse(call.body.messages.at(-1)?.content);
      const take = this.#wanted.get(question);
      if (take === undefined)
        call.text(`- On ${question}`).text(`${boundary}It is so: ${question} ✓`).finish();
      else take(call);
    };
  }

  /** Resolves with the call that asks `question`. */
  wait(question: string): Promise<ScriptedCall> {
    const { promise, resolve } = Promise.withResolvers<ScriptedCall>();
    this.#wanted.set(question, resolve);
    return promise;
  }
}

/** A turn as its client saw it. */
interface Heard {
  readonly question: string;
  readonly turnId: string;
  readonly body: string;
}

/** The longest waits of clients, in milliseconds. */
export class Waits {
  firstByteMs = 0;
  endMs = 0;
}

/** A turn whose reply a test writes itself. */
export interface HeldTurn {
  readonly call: ScriptedCall;
  readonly turnId: string;
  /** Reads the rest, which the model has sent already; records how long the end took. */
  finish(waits: Waits): Promise<void>;
}

/** A conversation of one user who resends all of it with each turn. */
export class Talk {
  readonly userId = randomUUID();
  readonly conversationId = randomUUID();
  readonly heard: Heard[] = [];
  readonly #teller: Teller;

  constructor(teller: Teller) {
    this.#teller = teller;
  }

  /** Runs a whole turn; `isAway`: its message must be in the journal before its first byte. */
  async say(app: RunningApp, question: string, isAway = false, waits = new Waits()): Promise<string> {
    const { response, turnId } = await this.#open(app, question, isAway, waits);
    const expected = `- On ${question}${boundary}It is so: ${question} ✓`;
    return await this.#hear(response, { question, turnId, body: expected }, waits);
  }

  /** Starts a turn whose reply is `parts`; only the first has arrived when this resolves. */
  async hold(app: RunningApp, question: string, parts: readonly [string, string]): Promise<HeldTurn> {
    const asked = this.#teller.wait(question);
    const opening = this.#open(app, question, false, new Waits());
    const call = (await asked).text(parts[0]);
    const { response, turnId } = await opening;
    return {
      call,
      turnId,
      finish: async (waits) =>
        void (await this.#hear(response, { question, turnId, body: parts.join("") }, waits)),
    };
  }

  /**
   * Checks that the rows match the responses: one message and one reply a turn, in order; every turn
   * complete.
   */
  async check(site: Pick<Site, "sql">): Promise<{ readonly lost: number; readonly duplicates: number }> {
    const where = `where conversation_id = '${this.conversationId}'`;
    const messages = await site.sql(
      `select role, content, status from messages ${where} order by created_at`,
    );
    const expected = this.heard.flatMap(({ question, body }) => [
      { role: "user", content: question, status: null },
      { role: "assistant", content: splitBody(body).answer, status: "complete" },
    ]);
    const found = messages.map((row) => JSON.stringify(row));
    const lost = expected.filter((row) => !found.includes(JSON.stringify(row))).length;
    const duplicates = found.length - new Set(found).size;
    assert.deepEqual(messages, expected);
    const turns = await site.sql(
      `select id, status, plan, answer, (select count(*)::integer from turn_pieces p where p.turn_id = t.id) as pieces
       from turns t ${where} order by started_at`,
    );
    assert.deepEqual(
      turns,
      this.heard.map(({ turnId, body }) => ({
        id: turnId,
        status: "complete",
        ...splitBody(body),
        pieces: 0,
      })),
    );
    const [leaf] = await site.sql(
      `select content from messages where id = (select leaf_id from conversations where id = '${this.conversationId}')`,
    );
    assert.equal(leaf?.["content"], expected.at(-1)?.content);
    return { lost, duplicates };
  }

  async #open(
    app: RunningApp,
    question: string,
    isAway: boolean,
    waits: Waits,
  ): Promise<{ response: IncomingMessage; turnId: string }> {
    const history = this.heard.flatMap(({ question: text, body }) => [
      { sender: "user", text },
      { sender: "bot", text: body },
    ]);
    const messages = [...history, { sender: "user", text: question }];
    const { userId, conversationId } = this;
    const watch = new Stopwatch();
    const response = await app.open("POST", "/stream-chat", { messages, userId, conversationId });
    const { clockMs, ownMs } = watch;
    assert.equal(response.statusCode, 200);
    assert.ok(ownMs < maxWaitMs, `the first byte came after ${ownMs} ms`);
    waits.firstByteMs = Math.max(waits.firstByteMs, clockMs);
    const turnId = String(response.headers["x-turn-id"]);
    const isQueued = app.logs.some(
      (line) => line.turnId === turnId && line.msg === "write queued in the journal",
    );
    assert.ok(isQueued || !isAway, "the first byte came before the user's message was safe");
    return { response, turnId };
  }

  async #hear(response: IncomingMessage, turn: Heard, waits: Waits): Promise<string> {
    const watch = new Stopwatch();
    const { body, isComplete } = await readResponse(response);
    const { clockMs, ownMs } = watch;
    assert.ok(ownMs < maxWaitMs, `the end came after ${ownMs} ms`);
    waits.endMs = Math.max(waits.endMs, clockMs);
    assert.deepEqual({ body, isComplete }, { body: turn.body, isComplete: true });
    this.heard.push(turn);
    return turn.turnId;
  }
}

function splitBody(body: string): { readonly plan: string; readonly answer: string } {
  const [plan = "", answer = ""] = body.split(boundary);
  return { plan, answer };
}
