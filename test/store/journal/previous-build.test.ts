/** A journal of this build in the previous one: after a downgrade, that one stores the turns in it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { z } from "zod";
import { systemClock } from "../../../src/base/clock.ts";
import { toMoney } from "../../../src/base/money.ts";
import { parseConfig } from "../../../src/config/config.ts";
import { parseQueuedBegin, parseQueuedEnd, toQueuedBegin } from "../../../src/store/journal/entry.ts";
import { inspectJournals } from "../../../src/store/journal/inspect.ts";
import { Journal } from "../../../src/store/journal/journal.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { applySchema } from "../../../src/store/schema/apply-schema.ts";
import { toEndArgument } from "../../../src/store/turns/turn-writes.ts";
import { addressMessages, digestContent } from "../../../src/turn/message-tree.ts";
import type { PausedTurn, TurnBegin, TurnResult } from "../../../src/turn/ports.ts";
import type { SavedItem } from "../../../src/turn/turn-event.ts";
import {
  findMissingHistory,
  unpackPreviousBuild,
  type PreviousBuild,
} from "../../support/apps/previous-build.ts";
import { Replica } from "../../support/apps/replica.ts";
import { makeTestFolder, useDatabase } from "../../support/apps/use-app.ts";
import { makeTurn } from "../../support/databases/make-turn.ts";
import { loadSchemaOf } from "../../support/databases/schema-versions.ts";
import { runSql, startPostgresHarness } from "../../support/databases/store-harness.ts";

const State = z.object({
  status: z.string(),
  plan: z.string(),
  answer: z.string().nullable(),
  model: z.string().nullable(),
});

const run = promisify(execFile);
const roomyBytes = 64 * 1024 * 1024;

/** All fields of `Type`, optional ones, too: a new one must be added here. */
type Filled<Type> = { readonly [Key in keyof Type]-?: Exclude<Type[Key], undefined> };

const done: SavedItem = {
  type: "tool-result",
  position: 3,
  ordinal: 1,
  callId: "1",
  status: "complete",
  output: { content: [] },
};

const [addressed] = addressMessages([{ role: "user", text: "Hi", images: [] }]);
assert.ok(addressed);
const ids = { turnId: randomUUID(), conversationId: randomUUID(), userId: randomUUID() };
const digest = digestContent("user", "Hi");

/** The begin of a turn with all fields. */
const begin: Filled<TurnBegin> = {
  turnId: ids.turnId,
  conversationId: ids.conversationId,
  isConversationNamed: true,
  mustOwn: true,
  caller: { userId: ids.userId, accessToken: "secret" },
  title: "Hi",
  path: [
    {
      ...addressed,
      plan: "Plan",
      sentId: randomUUID(),
      clientId: "c1",
      after: randomUUID(),
      tools: [],
      toolsDigest: digest,
    },
  ],
  isKept: true,
  extendsReply: { ...addressed, role: "assistant", earlierDigests: [digest], earlierToolsDigest: digest },
  anchor: digest,
  continues: { mode: "leaf", isAgain: true, replyId: "r1", mustExist: true, needsStore: true },
  chatId: "chat",
  maxReadChars: 100_000,
  ifRunning: "branch",
  runningHere: [randomUUID()],
  startedAt: new Date(),
  model: "small",
  mayBeRefused: true,
  idempotencyKey: "key",
  requestDigest: digest,
  request: { metadata: { topic: "greeting" } },
  estimate: { inputTokens: 1, outputTokens: 2 },
  price: { input: 0.25, output: 2 },
  allowance: {
    subject: `user ${ids.userId}`,
    over: "requests",
    concurrentTurns: 1,
    tokensPerDay: 1,
    costPerDay: toMoney(1),
    key: { name: "key", costPerDay: toMoney(1) },
  },
  wire: "text",
  traceId: "0af7651916cd43dd8448eb211c80319c",
  requestId: "request",
};

/** The end of a turn with all fields. */
const result: Filled<TurnResult> = {
  outcome: "complete",
  toBody: () => ({ plan: "Plan", answer: "Done." }),
  items: [done],
  reply: { id: randomUUID(), contentDigest: digestContent("assistant", "Done."), hasPlan: true },
  model: "small",
  attempts: [{ model: "large", errorCode: "model_unavailable" }],
  context: { messagesLeftOut: 1, imagesLeftOut: 2, resultsLeftOut: 3, isRetried: true },
  finishReason: "stop",
  usage: { inputTokens: 1, outputTokens: 2 },
  estimate: { inputTokens: 1, outputTokens: 2 },
  cost: toMoney(0.5),
  errorCode: "internal_error",
  endedAt: new Date(),
  durationMs: 12.5,
  firstTextMs: 3.2,
};

const paused: PausedTurn = {
  toBody: () => ({ plan: "Plan", answer: undefined }),
  items: [done],
  state: { step: 1 },
  expiresAt: new Date(Date.now() + 3_600_000),
  usage: undefined,
};

/** Returns `whole` without the fields that `part` does not have, at any depth of objects. */
function pick(whole: unknown, part: unknown): unknown {
  if (!isObject(whole) || !isObject(part)) return whole;
  const known = Object.entries(whole).filter(([name]) => Object.hasOwn(part, name));
  return Object.fromEntries(known.map(([name, value]) => [name, pick(value, part[name])]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const missing = await findMissingHistory();

describe("a journal of this build, in the previous one", { timeout: 120_000, skip: missing }, () => {
  let previous: PreviousBuild;
  before(async () => void (previous = await unpackPreviousBuild()));
  after(() => previous.remove());
  const postgres = useDatabase(startPostgresHarness);

  test("has the same turns, whatever their begins and ends hold", async (context) => {
    const dataDir = await makeTestFolder(context);
    const journal = await Journal.open(dataDir, roomyBytes);
    await journal.appendPieces([{ turnId: ids.turnId, position: 0, text: "Hi!", items: [done] }]);
    const end = JSON.stringify(toEndArgument(ids.turnId, result, [randomUUID()]));
    const texts = { begin: toQueuedBegin(begin), end };
    await journal.append({ kind: "begin", ...ids, toArgument: () => texts.begin });
    await journal.append({ kind: "end", ...ids, toArgument: () => texts.end });
    await journal.close();
    const [node = "", main = ""] = previous.command;
    const source = JSON.stringify(join(main, "..", "store", "journal"));
    const script = `(async () => {
      const { Journal } = await import(${source} + "/journal.ts");
      const { parseQueuedBegin, parseQueuedEnd } = await import(${source} + "/entry.ts");
      const journal = await Journal.open(${JSON.stringify(dataDir)}, ${roomyBytes});
      const [begin, end] = journal.queue.values();
      console.log(JSON.stringify({
        pieces: await journal.readPieces(begin.turnId),
        begin: parseQueuedBegin(await journal.read(begin.id)),
        end: parseQueuedEnd(await journal.read(end.id)),
      }));
      await journal.close();
    })()`;
    const { stdout } = await run(node, ["-e", script]);
    const read = JSON.parse(stdout);
    const own = JSON.parse(
      JSON.stringify({ begin: parseQueuedBegin(texts.begin), end: parseQueuedEnd(texts.end) }),
    );
    assert.deepEqual(read.pieces, [
      { turnId: ids.turnId, position: 0, text: "Hi!" },
      { turnId: ids.turnId, position: 0, text: "", items: [done] },
    ]);
    assert.equal(read.begin.turnId, ids.turnId);
    assert.deepEqual(read.begin, pick(own.begin, read.begin));
    assert.deepEqual(read.end, own.end);
  });

  for (const isUpgraded of [false, true])
    test(`is stored by it on ${isUpgraded ? "this build's" : "its own"} schema: ended turns, and turns that wait`, async (context) => {
      const dataDir = await makeTestFolder(context);
      const name = isUpgraded ? "upgraded" : "previous";
      const url = await postgres.harness.server.createDatabase(name);
      await runSql(url, [previous.schema]);
      if (isUpgraded) await applySchema(url, await loadSchemaOf(), () => {});
      const closedUrl = "postgres://postgres:postgres@127.0.0.1:9/postgres";
      const { store: options } = parseConfig({ DATABASE_URL: closedUrl, DATA_DIR: dataDir }).app;
      const store = await openStore(options, systemClock, () => {});
      const userId = randomUUID();
      const [ended, waiting] = [ids, ids].map(() =>
        makeTurn(["u: Hi"], { userId, conversationId: randomUUID(), ifRunning: "branch" }),
      );
      assert.ok(ended !== undefined && waiting !== undefined);
      for (const turn of [ended, waiting]) assert.equal((await store.turns.begin(turn)).type, "begun");
      assert.equal((await store.turns.end(ended, { ...result, errorCode: undefined })).storage, "queued");
      assert.equal((await store.turns.pause(waiting, paused)).storage, "queued");
      await store.close();
      assert.deepEqual(inspectJournals(dataDir), { queuedCount: 4, quarantined: [] });

      const variables = { DATABASE_URL: url, DATA_DIR: dataDir, OPENAI_BASE_URL: "http://127.0.0.1:9/v1" };
      const replica = await Replica.start(
        { ...variables, OPENAI_MODEL: "none", OPENAI_API_KEY: "sk-test" },
        previous.command,
      );
      context.after(() => replica.close());
      const readStored = async ({ turnId }: TurnBegin): Promise<unknown> => {
        for (;;) {
          const reading = replica.send("GET", `/turns/${turnId}?userId=${userId}`);
          const body = (await reading.whole()).toString();
          if (reading.status !== 200) {
            assert.match(body, /turn_not_found|store_unavailable/, "it does not know the turn yet");
            continue;
          }
          const state = State.parse(JSON.parse(body));
          if (state.status !== "running") return state;
        }
      };
      assert.deepEqual(
        [await readStored(ended), await readStored(waiting)],
        [
          { status: "complete", plan: "Plan", answer: "Done.", model: "small" },
          { status: "waiting", plan: "Plan", answer: null, model: "test" },
        ],
      );
      assert.deepEqual(inspectJournals(dataDir).quarantined, []);
    });
});
