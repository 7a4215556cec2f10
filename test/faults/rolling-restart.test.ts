/**
 * Two servers are replaced by those of the next build, one after the other, with the schema before them, and
 * one goes back, while frontends chat, read, search, stop and repeat their requests.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { createClient, type ForewordClient, type Turn } from "../../packages/foreword-client/src/client.ts";
import { schemaVersion } from "../../src/store/database/database.ts";
import { applySchema } from "../../src/store/schema/apply-schema.ts";
import { toText } from "../../src/turn/body.ts";
import { boundary } from "../../src/turn/reply/boundary.ts";
import { findMissingHistory, unpackPreviousBuild } from "../support/apps/previous-build.ts";
import { Replica } from "../support/apps/replica.ts";
import { FailoverFetch } from "../support/clients/failover-fetch.ts";
import { startPostgres } from "../support/databases/postgres-server.ts";
import { loadSchemaOf } from "../support/databases/schema-versions.ts";
import { runSql } from "../support/databases/store-harness.ts";
import { startSupabaseStack } from "../support/databases/supabase-stack.ts";
import { SeededModel, toSeededPrompt, toSeededReply } from "../support/model/seeded-reply.ts";
import { pickCount } from "../support/process/thoroughness.ts";

const missing = await findMissingHistory();
/** The users, and their fewest rounds beside each step of the upgrade. */
const userCount = 3;
const roundsBesideStep = pickCount(1, 3);

const MessageRow = z.object({ role: z.string(), content: z.string(), count: z.number() });
const TurnRow = z.object({ id: z.string(), status: z.string() });

/** A turn that the server has acknowledged: its question, and the answer that the client got. */
interface Acknowledged {
  readonly id: string;
  readonly prompt: string;
  readonly answer: string;
  readonly status: "complete" | "stopped";
}

/** A user with one conversation. Each response is checked when it comes. */
class User {
  readonly conversationId = randomUUID();
  readonly turns: Acknowledged[] = [];
  rounds = 0;
  readonly #userId = randomUUID();
  readonly #client: ForewordClient;
  readonly #network: FailoverFetch;

  constructor(network: FailoverFetch) {
    this.#network = network;
    this.#client = createClient({
      baseUrl: "http://foreword.test",
      userId: this.#userId,
      fetch: network.fetch,
      retry: { firstDelayMs: 10, maxDelayMs: 100, maxRetries: 100 },
    });
  }

  async round(): Promise<void> {
    const key = randomUUID();
    const prompt = this.#toPrompt(20);
    const first = await this.#read(this.#start(prompt, key), prompt);
    const again = await this.#read(this.#start(prompt, key), prompt);
    assert.equal(again.id, first.id, "the turn of a repeated request");
    this.turns.push(first, await this.#stopOne(), await this.#readText());
    await this.#readHistory(first);
    this.rounds += 1;
  }

  #toPrompt(pieces: number): string {
    return toSeededPrompt(`word${randomUUID().slice(0, 8)}`, pieces);
  }

  #start(prompt: string, idempotencyKey: string): Turn {
    return this.#client.start(this.#toBody(prompt), { idempotencyKey });
  }

  #toBody(prompt: string) {
    const messages = [{ sender: "user", text: prompt }] as const;
    return { conversationId: this.conversationId, messages };
  }

  async #read(turn: Turn, prompt: string): Promise<Acknowledged> {
    const { outcome, plan, answer, error } = await turn.reply();
    assert.deepEqual([outcome, error], ["complete", null]);
    const text = toText({ plan, answer: answer ?? undefined });
    assert.equal(text, toSeededReply(prompt).bytes.toString(), "the bytes of a reply");
    return { id: turn.id, prompt, answer: answer ?? "", status: "complete" };
  }

  /** Stops a long reply at its first words, through whichever server the request reaches. */
  async #stopOne(): Promise<Acknowledged> {
    const prompt = this.#toPrompt(1_000);
    const turn = this.#start(prompt, randomUUID());
    let answer = "";
    for await (const event of turn) {
      if (event.type !== "answer-delta") continue;
      if (answer === "") await turn.stop();
      answer += event.text;
    }
    assert.equal((await turn.reply()).outcome, "stopped");
    const script = toSeededReply(prompt).bytes.toString().split(boundary).slice(1).join(boundary);
    assert.equal(answer, script.slice(0, answer.length));
    return { id: turn.id, prompt, answer, status: "stopped" };
  }

  /** Reads a reply as plain text over connections that are cut after some bytes, and resumes it each time. */
  async #readText(): Promise<Acknowledged> {
    const [id, prompt] = [randomUUID(), this.#toPrompt(20)];
    const body = JSON.stringify({ ...this.#toBody(prompt), userId: this.#userId });
    const headers = { "content-type": "application/json", "x-turn-id": id, "idempotency-key": id };
    const script = toSeededReply(prompt).bytes;
    let got = Buffer.alloc(0);
    for (let connection = 0; got.length < script.length; connection += 1) {
      const path = `/turns/${id}/stream?userId=${this.#userId}&after=${got.length}`;
      // Without a response there may be no turn yet, so the request is repeated with its key.
      const response = await (
        connection === 0 || got.length === 0
          ? this.#network.fetch("http://foreword.test/stream-chat", { method: "POST", headers, body })
          : this.#network.fetch(`http://foreword.test${path}`)
      ).catch(() => undefined);
      if (response?.status !== 200) continue;
      const isCut = connection < 2;
      try {
        for await (const bytes of response.body ?? []) {
          got = Buffer.concat([got, bytes]);
          if (isCut && findLastLine(got) === "") break;
        }
      } catch {
        // It was cut off, or its server stops, while another runs the turn.
        got = got.subarray(0, got.length - findLastLine(got).length);
      }
    }
    assert.deepEqual(got, script);
    const answer = script.toString().split(boundary).slice(1).join(boundary);
    return { id, prompt, answer, status: "complete" };
  }

  async #readHistory({ id, prompt, answer }: Acknowledged): Promise<void> {
    const { conversations } = this.#client;
    const { messages } = await conversations.messages(this.conversationId, { tree: true, limit: 100 });
    assert.deepEqual(
      messages.filter((message) => message.id === id).map(({ content }) => content),
      [answer.trim()],
    );
    const list = await conversations.list();
    assert.deepEqual(
      list.conversations.map((one) => one.id),
      [this.conversationId],
    );
    const query = prompt.split(",")[0] ?? "";
    // Its words may still be indexed by the server that has taken them.
    while ((await conversations.list({ query })).conversations.length === 0);
  }
}

/** Returns the line with which a server that stops leaves the readers of another server's turn. */
function findLastLine(text: Buffer): string {
  return /\n\[error\] server_stopping: [^\n]*\n$/.exec(text.toString("latin1"))?.[0] ?? "";
}

/** Starts the store of a test: its variables, and the address of its database. */
type StartStore = (setup: string) => Promise<{
  readonly variables: Readonly<Record<string, string>>;
  readonly url: string;
  stop(): Promise<void>;
}>;

const stores: readonly [string, StartStore][] = [
  [
    "Postgres",
    async (schema) => {
      const server = await startPostgres({ setup: [schema] });
      return { variables: { DATABASE_URL: server.url }, url: server.url, stop: () => server.stop() };
    },
  ],
  [
    "PostgREST",
    async (schema) => {
      const stack = await startSupabaseStack({ setup: [schema] });
      const variables = { SUPABASE_URL: stack.url, SUPABASE_SERVICE_ROLE_KEY: stack.serviceRoleKey };
      return { variables, url: stack.databaseUrl, stop: () => stack.stop() };
    },
  ],
];

describe("a rolling restart under load, with a new schema", { timeout: 300_000, skip: missing }, () => {
  for (const [name, startStore] of stores.slice(0, pickCount(1, stores.length)))
    test(`and back, loses, doubles and fails nothing, on ${name}`, async (context) => {
      await using closing = new AsyncDisposableStack();
      const [model, previous] = await Promise.all([SeededModel.start(), unpackPreviousBuild()]);
      closing.defer(async () => void (await Promise.all([model.close(), previous.remove()])));
      const store = await startStore(previous.schema);
      closing.defer(() => store.stop());
      const variables = { ...model.variables, ...store.variables, DRAIN_SECONDS: "60", LOG_LEVEL: "warn" };
      const start = (): Promise<Replica> => Replica.start(variables, previous.command);
      const [a, b] = await Promise.all([start(), start()]);
      for (const replica of [a, b]) closing.defer(() => replica.close());

      const network = new FailoverFetch([a, b]);
      const users = Array.from({ length: userCount }, () => new User(network));
      const change = { isOver: false };
      const load = users.map(async (user) => {
        while (!change.isOver) await user.round();
      });
      /** Each user has the rounds beside a step, and those after it. */
      const goOn = async (step?: () => Promise<void>): Promise<void> => {
        const goals = users.map(({ rounds }) => rounds + roundsBesideStep);
        await step?.();
        while (users.some(({ rounds }, index) => rounds < (goals[index] ?? 0))) await model.ticks(1);
      };
      const schema = await loadSchemaOf();
      const steps = async (): Promise<void> => {
        await goOn();
        await goOn(async () => {
          const { from, to } = await applySchema(store.url, schema, () => {});
          assert.deepEqual([from, to], [schemaVersion - 1, schemaVersion]);
        });
        await goOn(() => a.replace());
        await goOn(() => b.replace());
        await goOn(() => a.replace(previous.command)); // the rollback
      };
      const stepping = steps().finally(() => (change.isOver = true));
      await Promise.race([stepping, Promise.all(load)]); // a failed user ends the test at once
      await Promise.all([stepping, ...load]);
      for (const replica of [a, b]) {
        replica.kill("SIGTERM");
        assert.equal(await replica.exit(), 0);
      }

      const turns = users.flatMap((user) => user.turns);
      context.diagnostic(
        `figure: ${name}: turns ${turns.length}, responses ${network.answered.join(" and ")}, moved ${network.moved}`,
      );
      assert.deepEqual(network.failed, []);
      assert.ok(network.moved > 0, "requests met servers that were away");
      assert.deepEqual(await readMessages(store.url), toMessages(turns));
      const rows = z
        .array(TurnRow)
        .parse(await runSql(store.url, ["select id, status from turns order by id"]));
      assert.deepEqual(rows, turns.map(({ id, status }) => ({ id, status })).toSorted(byId));
      for (const { prompt } of turns) assert.equal(model.calls.get(prompt)?.length, 1, "calls of the model");
    });
});

/** The messages that must be stored, once each. */
function toMessages(turns: readonly Acknowledged[]): z.infer<typeof MessageRow>[] {
  return turns
    .flatMap(({ prompt, answer }) => [
      { role: "user", content: prompt, count: 1 },
      { role: "assistant", content: answer.trim(), count: 1 },
    ])
    .toSorted(byContent);
}

async function readMessages(url: string): Promise<z.infer<typeof MessageRow>[]> {
  const sql = "select role, content, count(*)::int as count from messages group by role, content, parent_id";
  return z
    .array(MessageRow)
    .parse(await runSql(url, [sql]))
    .toSorted(byContent);
}

function byContent(one: { readonly content: string }, other: { readonly content: string }): number {
  return one.content < other.content ? -1 : one.content > other.content ? 1 : 0;
}

function byId(one: { readonly id: string }, other: { readonly id: string }): number {
  return one.id < other.id ? -1 : 1;
}
