/**
 * The schema is replaced without an outage: servers of this build and the previous one serve one Postgres
 * while it is upgraded, restored and upgraded again under load.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { schemaVersion } from "../../src/store/database/database.ts";
import { systemClock } from "../../src/base/clock.ts";
import { PostgresDatabase } from "../../src/store/database/postgres/postgres.ts";
import { applySchema } from "../../src/store/schema/apply-schema.ts";
import { toPauseArgument, TurnWrites } from "../../src/store/turns/turn-writes.ts";
import type { Body } from "../../src/turn/body.ts";
import { beginTurn, makeTurn } from "../support/databases/make-turn.ts";
import { openPostgres } from "../store/scratch-database.ts";
import { startPostgres, type PostgresServer } from "../support/databases/postgres-server.ts";
import {
  findMissingHistory,
  unpackPreviousBuild,
  type PreviousBuild,
} from "../support/apps/previous-build.ts";
import { Replica, type Reading } from "../support/apps/replica.ts";
import { loadSchemaOf } from "../support/databases/schema-versions.ts";
import { ScriptedModel, type ScriptedCall } from "../support/model/scripted-model.ts";

const Conversations = z.object({ conversations: z.array(z.object({ id: z.string() })) });
const Messages = z.object({ messages: z.array(z.object({ role: z.string(), content: z.string() })) });
const Ready = z.object({ status: z.string() });
const State = z.object({ status: z.string(), answer: z.string().nullable() });

/**
 * The concurrent users of each replica, and each user's fewest rounds before and after the schema is
 * replaced.
 */
const lanesPerReplica = 2;
const minRounds = 3;

/** One user, with a turn a round, each followed by all kinds of reads. */
class Lane {
  readonly userId = randomUUID();
  readonly conversationId = randomUUID();
  rounds = 0;
  readonly #replica: Replica;
  readonly #other: Replica;

  constructor(replica: Replica, other: Replica) {
    this.#replica = replica;
    this.#other = other;
  }

  async round(): Promise<void> {
    const { userId, conversationId } = this;
    const messages = [{ sender: "user", text: `round ${this.rounds} zebra` }];
    const chat = this.#replica.send("POST", "/stream-chat", { userId, conversationId, messages });
    assert.match((await chat.whole()).toString(), /Hello\.$/, "the reply");
    assert.deepEqual([chat.status, chat.isComplete], [200, true]);
    this.rounds += 1;
    const base = `/conversations/${conversationId}`;
    const list = await read(this.#replica, `/conversations?userId=${userId}`, Conversations);
    assert.deepEqual(list.conversations, [{ id: conversationId }]);
    await read(this.#replica, `${base}/messages?userId=${userId}`, Messages);
    // Texts that another server has taken to index, but cannot store while the tables are locked, come late.
    const search = `/conversations?userId=${userId}&query=zebra`;
    while ((await read(this.#replica, search, Conversations)).conversations.length === 0);
    await read(this.#other, `/conversations?userId=${userId}`, Conversations);
  }

  /** Reads the conversation on both replicas: each turn appears once. */
  async check(): Promise<void> {
    const { userId, conversationId, rounds } = this;
    for (const replica of [this.#replica, this.#other]) {
      const path = `/conversations/${conversationId}/messages?userId=${userId}&tree=true&limit=100`;
      const { messages } = await read(replica, path, Messages);
      const asked = messages.filter(({ role }) => role === "user").map(({ content }) => content);
      assert.deepEqual(
        asked.toSorted(),
        Array.from({ length: rounds }, (_, round) => `round ${round} zebra`).toSorted(),
      );
      assert.equal(messages.filter(({ role }) => role === "assistant").length, rounds);
    }
  }
}

/** The state of a turn that waits after a first step without tools. */
const waitingState = {
  messages: [],
  wantsPlan: true,
  parameters: {},
  useWebSearch: false,
  offered: [],
  steps: {
    step: 0,
    toolsMs: 0,
    itemsBytes: 0,
    endsInClient: false,
    asked: [],
    runs: { brokenInputs: 0, isExhausted: false, seen: [], toolCalls: 0 },
  },
};

/** A turn whose text comes from the test, followed on the other replica. */
interface Held {
  readonly call: ScriptedCall;
  readonly turnId: string;
  readonly userId: string;
  readonly owner: Reading;
  readonly follower: Reading;
}

function toUiMessage(text: string): object {
  return { id: text, role: "user", parts: [{ type: "text", text }] };
}

async function read<Schema extends z.ZodType>(
  replica: Replica,
  path: string,
  schema: Schema,
): Promise<z.output<Schema>> {
  return await replica.send("GET", path).json(schema);
}

const missing = await findMissingHistory();

describe("the previous build and this one on one Postgres", { timeout: 300_000, skip: missing }, () => {
  let server: PostgresServer;
  let model: ScriptedModel;
  let previous: PreviousBuild;
  let url: string;
  let old: Replica;
  let current: Replica;
  const held = new Map<string, (call: ScriptedCall) => void>();
  before(async () => {
    [server, model, previous] = await Promise.all([
      startPostgres(),
      ScriptedModel.start(),
      unpackPreviousBuild(),
    ]);
    url = await server.createDatabase("rolling");
    await apply(previous.schema);
    model.script = (call) => {
      const text = JSON.stringify(call.body.messages.at(-1)?.content);
      const take = held.get(/held [0-9a-f-]{36}/.exec(text)?.[0] ?? "");
      if (take === undefined) call.text("- Think\n---RESPONSE---\n").text("Hello.").finish();
      else take(call);
    };
    const variables = {
      DATABASE_URL: url,
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: "scripted",
      OPENAI_API_KEY: "sk-test",
      LOG_LEVEL: "warn",
    };
    [old, current] = await Promise.all([
      Replica.start(variables, previous.command),
      Replica.start(variables),
    ]);
  });
  after(async () => {
    await Promise.all([old.close(), current.close()]);
    await Promise.all([model.close(), server.stop(), previous.remove()]);
  });

  /** Applies a schema without any refusal to downgrade. */
  async function apply(sql: string): Promise<void> {
    const session = await openPostgres(url);
    await session.apply(
      sql.replace(/c_version constant integer := \d+;/, "c_version constant integer := 1000;"),
    );
    await session.close();
  }

  async function hold(replica: Replica, other: Replica): Promise<Held> {
    const name = `held ${randomUUID()}`;
    const [userId, turnId] = [randomUUID(), randomUUID()];
    const { promise, resolve } = Promise.withResolvers<ScriptedCall>();
    held.set(name, resolve);
    const body = { userId, conversationId: randomUUID(), messages: [{ sender: "user", text: name }] };
    const owner = replica.send("POST", "/stream-chat", body, { "x-turn-id": turnId });
    const call = await promise;
    call.text("- Think\n---RESPONSE---\none");
    await owner.received(25);
    for (;;) {
      const state = other.send("GET", `/turns/${turnId}?userId=${userId}`);
      if (/Think/.test((await state.whole()).toString())) break;
    }
    const follower = other.send("GET", `/turns/${turnId}/stream?userId=${userId}`, undefined, {
      accept: "text/event-stream",
    });
    await follower.received(1);
    return { call, turnId, userId, owner, follower };
  }

  /** Runs `replaceSchema` while users are active on both builds; none of their requests may fail or stall. */
  async function changeUnderLoad(replaceSchema: () => Promise<void>): Promise<void> {
    const lanes = [old, current].flatMap((replica) =>
      Array.from({ length: lanesPerReplica }, () => new Lane(replica, replica === old ? current : old)),
    );
    const turns = [await hold(old, current), await hold(current, old)];
    const stopped = [await hold(old, current), await hold(current, old)];
    const warm = Promise.withResolvers<void>();
    const change = { isOver: false, roundsSince: 0 };
    const load = lanes.map(async (lane) => {
      while (!change.isOver || change.roundsSince < minRounds * lanes.length) {
        await lane.round();
        if (change.isOver) change.roundsSince += 1;
        if (lanes.every(({ rounds }) => rounds >= minRounds)) warm.resolve();
      }
    });
    const changing = warm.promise.then(async () => {
      for (const { call } of turns) call.text(" two");
      await replaceSchema();
      change.isOver = true;
    });
    await Promise.all([changing, ...load]);
    for (const { call } of turns) call.text(" three").finish();
    for (const { owner, follower } of turns) {
      assert.match((await owner.whole()).toString(), /\none two three$/);
      const events = (await follower.whole()).toString();
      const text = Array.from(events.matchAll(/"text":"([^"]*)"/g), ([, piece]) => piece).join("");
      assert.match(text, /one two three$/, "the text at a follower elsewhere");
      assert.match(events, /event: turn-end[^]*"outcome":"complete"/);
    }
    for (const [index, { turnId, userId, owner }] of stopped.entries()) {
      await [current, old][index]?.stop(turnId, userId);
      await owner.whole();
    }
    await Promise.all(lanes.map((lane) => lane.check()));
    for (const replica of [old, current]) assert.equal((await read(replica, "/readyz", Ready)).status, "ok");
  }

  test("both serve the previous build's schema", async () => {
    await changeUnderLoad(async () => {});
  });

  test("the schema is upgraded under load", async () => {
    const schema = await loadSchemaOf();
    await changeUnderLoad(async () => {
      const { from, to } = await applySchema(url, schema, () => {});
      assert.deepEqual([from, to], [schemaVersion - 1, schemaVersion]);
    });
  });

  test("it is applied again under load", async () => {
    const schema = await loadSchemaOf();
    await changeUnderLoad(async () => void (await applySchema(url, schema, () => {})));
  });

  test("it is restored to the previous one, and upgraded again, under load", async () => {
    const schema = await loadSchemaOf();
    await changeUnderLoad(async () => {
      await apply(previous.schema);
      await applySchema(url, schema, () => {});
    });
  });

  test("a turn that waits for its user waits for the previous build, too, which can stop it", async () => {
    const database = new PostgresDatabase({ url, poolSize: 1 }, systemClock, () => {});
    const writes = new TurnWrites(database, systemClock, randomUUID());
    const userId = randomUUID();
    const turn = makeTurn(["u: Hi"], { userId, conversationId: randomUUID() });
    await beginTurn(writes, turn);
    const expiresAt = new Date(Date.now() + 3_600_000);
    const toBody = (): Body => ({ plan: "- Think", answer: "One." });
    const paused = { toBody, items: [], state: waitingState, expiresAt, usage: undefined };
    await writes.pause(toPauseArgument(turn.turnId, paused, undefined, new Date()));
    const path = `/turns/${turn.turnId}?userId=${userId}`;
    const states = await Promise.all([old, current].map((replica) => read(replica, path, State)));
    for (const state of states) assert.deepEqual(state, { status: "waiting", answer: "One." });
    await old.stop(turn.turnId, userId);
    while ((await read(old, path, State)).status === "waiting");
    const ended = await Promise.all([old, current].map((replica) => read(replica, path, State)));
    for (const state of ended) assert.deepEqual(state, { status: "stopped", answer: "One." });
    await database.close();
  });

  test("a chat continues from one build to the other, and each finds the words of both, with accents or without", async () => {
    const userId = randomUUID();
    const say = async (replica: Replica, text: string, more: object): Promise<string> => {
      const body = { id: "both", messages: [toUiMessage(text)], ...more };
      const turn = replica.send("POST", `/api/chat?userId=${userId}`, body);
      assert.match((await turn.whole()).toString(), /"outcome":"complete"/);
      return String(turn.headers["x-conversation-id"]);
    };
    const conversationId = await say(old, "crème 数据库", {});
    await say(current, "ångström", { messages: undefined, message: toUiMessage("ångström") });
    const path = `/conversations/${conversationId}/messages?userId=${userId}`;
    for (const replica of [old, current]) {
      const { messages } = await read(replica, path, Messages);
      assert.deepEqual(
        messages.map(({ content }) => content),
        ["crème 数据库", "Hello.", "ångström", "Hello."],
      );
    }
    const find = async (replica: Replica, query: string): Promise<number> => {
      const found = `/conversations?userId=${userId}&query=${encodeURIComponent(query)}`;
      return (await read(replica, found, Conversations)).conversations.length;
    };
    // This build indexes the previous one's texts in the background.
    while ((await find(current, "creme")) === 0);
    for (const query of ["crème", "CRÈME", "creme", "数据", "ångström", "angstrom", "ang"])
      assert.equal(await find(current, query), 1, query);
    for (const query of ["crème", "CRÈME", "creme", "a\u030angstro\u0308m", "angstrom"])
      assert.equal(await find(old, query), 1, query);
  });
});
