/** Turns whose process is killed lose at most their last text: nothing else is lost, doubled or changed. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test, type TestContext } from "node:test";
import { z } from "zod";
import { toText } from "../../src/turn/body.ts";
import { boundary } from "../../src/turn/reply/boundary.ts";
import {
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
  type StoreHarness,
} from "../support/databases/store-harness.ts";
import { countDifferences, Replica, toFigures, type Reading } from "../support/apps/replica.ts";
import {
  SeededModel,
  SeededRandom,
  toSeededPrompt,
  toSeededReply,
  type SeededCall,
} from "../support/model/seeded-reply.ts";
import { pickCount } from "../support/process/thoroughness.ts";

const seed = process.env["FOREWORD_CHAOS_SEED"] ?? randomUUID();
const turnCount = Number(process.env["FOREWORD_CHAOS_TURNS"] ?? pickCount(100, 200));
const maxLostMs = 2_000;
const lastWords = Buffer.from("\n[error] interrupted: The server stopped before the reply was complete.\n");

const TurnRow = z.object({
  id: z.string(),
  status: z.string(),
  plan: z.string().nullable(),
  answer: z.string().nullable(),
  prompt: z.string(),
  reply: z.string().nullable(),
  reply_status: z.string().nullable(),
});
const MessageRow = z.object({
  parent_id: z.string().nullable(),
  role: z.string(),
  content: z.string(),
  is_of_turn: z.boolean(),
});

/** Counts over all turns. */
class Figures {
  turns = 0;
  interrupted = 0;
  messagesLost = 0;
  readonly duplicates: string[] = [];
  bytesThatDiffer = 0;
  bytesSeenBeyondTheRow = 0;
  readonly lostMs: number[] = [];
  readonly recoveryMs: number[] = [];

  report(context: TestContext): void {
    const { turns, interrupted, messagesLost, duplicates, bytesThatDiffer } = this;
    const lines = {
      turns: turns,
      "of them interrupted": interrupted,
      "messages lost": messagesLost,
      duplicates: duplicates.length,
      "bytes that differ": bytesThatDiffer,
      "bytes seen beyond the row": this.bytesSeenBeyondTheRow,
      "text lost, median / largest": toFigures(this.lostMs),
      "time from start to the last recovered turn, median / largest": toFigures(this.recoveryMs),
    };
    for (const [name, value] of Object.entries(lines)) context.diagnostic(`figure: ${name}: ${value}`);
  }

  compare(actual: Buffer, expected: Buffer): void {
    this.bytesThatDiffer += countDifferences(actual, expected);
  }
}

/** One user's conversation, as its client knows it. */
class Chat {
  readonly userId = randomUUID();
  readonly conversationId = randomUUID();
  readonly messages: { readonly sender: string; readonly text: string }[] = [];
  /** The next message; sent again if its turn brought no text. */
  prompt: string | undefined;
}

/** A turn, as its client saw it. */
interface ChaosTurn {
  readonly chat: Chat;
  readonly prompt: string;
  /** Chosen by the client, or read from the response's head. */
  id: string | undefined;
  readonly reading: Reading;
  /** The model's side of it; `undefined` if the model was not called. */
  readonly call: () => SeededCall | undefined;
}

/** A server that is killed again and again. */
class Chaos {
  readonly figures = new Figures();
  readonly #random: SeededRandom;
  readonly #model: SeededModel;
  readonly #replica: Replica;
  readonly #chats: readonly Chat[];
  /** Messages with at least a byte of reply at a client. */
  readonly #seen = new Set<string>();

  constructor(random: SeededRandom, model: SeededModel, replica: Replica, chatCount: number) {
    this.#random = random;
    this.#model = model;
    this.#replica = replica;
    this.#chats = Array.from({ length: chatCount }, () => new Chat());
  }

  /** Starts a turn in each chat, kills the process in the middle, and checks how its successor ends them. */
  async live(): Promise<void> {
    const killTick = this.#random.integer(10, 250);
    const turns = this.#chats.map(async (chat) => {
      await this.#model.ticks(this.#random.isOneIn(2) ? 0 : this.#random.integer(0, killTick));
      return this.#ask(chat);
    });
    await this.#model.ticks(killTick);
    const started = await Promise.all(turns);
    this.#replica.kill("SIGKILL");
    const killedAtMs = performance.now();
    for (const turn of started) {
      await turn.reading.closed;
      turn.id ??= z.string().optional().parse(turn.reading.headers["x-turn-id"]);
    }
    await this.#replica.exit();
    const startedAtMs = performance.now();
    await this.#replica.restart();
    await Promise.all(started.map((turn) => this.#check(turn, killedAtMs)));
    this.figures.recoveryMs.push(performance.now() - startedAtMs);
  }

  #ask(chat: Chat): ChaosTurn {
    this.figures.turns += 1;
    chat.prompt ??= toSeededPrompt(
      `Question ${chat.messages.length} of ${chat.userId}`,
      this.#random.integer(8, 250),
    );
    const { prompt, userId, conversationId, messages } = chat;
    const body = { userId, conversationId, messages: [...messages, { sender: "user", text: prompt }] };
    const id = this.#random.isOneIn(2) ? randomUUID() : undefined;
    const headers: Record<string, string> = id === undefined ? {} : { "x-turn-id": id };
    const earlier = this.#model.calls.get(prompt)?.length ?? 0;
    return {
      chat,
      prompt,
      id,
      reading: this.#replica.send("POST", "/stream-chat", body, headers),
      call: () => this.#model.calls.get(prompt)?.[earlier],
    };
  }

  /** Compares the client's text, the text after a resume, and the row. */
  async #check({ chat, prompt, id, reading, call }: ChaosTurn, killedAtMs: number): Promise<void> {
    const { bytes: script } = toSeededReply(prompt);
    const seen = reading.bytes;
    if (seen.length > 0) this.#seen.add(prompt);
    this.figures.compare(seen, script.subarray(0, reading.isComplete ? script.length : seen.length));
    if (id === undefined) return assert.equal(seen.length, 0, "a turn with text has an id");
    const resumed = await this.#resume(id, chat, seen.length);
    if (resumed === undefined) return;
    const tail = resumed.status === 200 ? resumed.bytes : Buffer.alloc(0);
    const { status, position, plan, answer } = await this.#replica.readState(id, chat.userId);
    const row = Buffer.from(toText({ plan, answer: answer ?? undefined }));
    assert.equal(position, row.length);
    this.figures.compare(row, script.subarray(0, row.length));
    if (status === "complete") {
      assert.equal(resumed.isComplete, true);
      this.figures.compare(Buffer.concat([seen, tail]), script);
    } else {
      assert.equal(status, "interrupted");
      assert.equal(reading.isComplete, false, "a response that ended cleanly is complete in its row");
      this.figures.interrupted += 1;
      this.figures.bytesSeenBeyondTheRow += Math.max(0, seen.length - row.length);
      this.figures.lostMs.push(call()?.ageAfter(row.length, killedAtMs) ?? 0);
      if (row.length + seen.length === 0) assert.equal(resumed.status, 503);
      else this.figures.compare(tail, Buffer.concat([row.subarray(seen.length), lastWords]));
      assert.equal(resumed.isComplete, resumed.status !== 200);
    }
    this.#remember(chat, prompt, Buffer.concat([seen, tail]));
  }

  /** Resolves with a turn's bytes from `from` to its end; with none for a turn without a row. */
  async #resume(id: string, { userId }: Chat, from: number): Promise<Reading | undefined> {
    const deadlineMs = performance.now() + 60_000;
    for (;;) {
      const resumed = this.#replica.resume(id, userId, from);
      await resumed.closed;
      // A busy machine's store may be unreadable for a while, before its turns are recovered.
      const isTooEarly =
        resumed.status === 503 && (await this.#replica.readState(id, userId)).status === "running";
      if (resumed.status !== 404 && !isTooEarly) return resumed;
      if (from === 0 && !isTooEarly) return undefined;
      // Its begin is in the journal and will be stored soon.
      assert.ok(performance.now() < deadlineMs, `turn ${id}, of which ${from} bytes were seen, is nowhere`);
      await this.#model.ticks(1);
    }
  }

  /** Acts like a frontend that shows everything it gets, and sends it back. */
  #remember(chat: Chat, prompt: string, seen: Buffer): void {
    const text = new TextDecoder().decode(seen, { stream: true });
    const hasLine = text.endsWith(lastWords.toString());
    const shown = hasLine && this.#random.isOneIn(2) ? text.slice(0, -lastWords.length) : text;
    const isAskedAgain =
      !text.includes(boundary) && (seen.length <= lastWords.length || this.#random.isOneIn(2));
    if (isAskedAgain) return;
    chat.messages.push({ sender: "user", text: prompt }, { sender: "bot", text: shown });
    chat.prompt = undefined;
  }

  /** Checks the rows once the last process has ended by itself. */
  async checkRows(harness: StoreHarness): Promise<void> {
    const turns = z.array(TurnRow).parse(
      await harness.sql(`select t.id, t.status, t.plan, t.answer, p.content as prompt,
        m.content as reply, m.status as reply_status
        from turns t join messages p on p.id = t.parent_id left join messages m on m.id = t.message_id`),
    );
    for (const { id, status, plan, answer, prompt, reply, reply_status: replyStatus } of turns) {
      const { bytes: script } = toSeededReply(prompt);
      const row = Buffer.from(toText({ plan: plan ?? "", answer: answer ?? undefined }));
      assert.ok(["complete", "interrupted"].includes(status), `turn ${id} is ${status}`);
      this.figures.compare(row, script.subarray(0, status === "complete" ? script.length : row.length));
      if (row.length === 0) assert.equal(reply, null);
      else assert.deepEqual([reply, replyStatus], [(answer ?? "").trim(), status]);
    }
    const messages = z.array(MessageRow).parse(
      await harness.sql(`select m.parent_id, m.role, m.content,
        exists (select from turns t where t.message_id = m.id) as is_of_turn from messages m`),
    );
    // A text that its client sends back has its own row only if the turn has no reply in the rows.
    const replied = new Set(messages.filter((row) => row.is_of_turn).map((row) => row.parent_id));
    const stored = new Set<string>();
    for (const { parent_id: parent, role, content, is_of_turn: isOfTurn } of messages) {
      const key = role === "user" ? content : `${parent} ${content}`;
      const isSentBack = role === "assistant" && !isOfTurn;
      if (stored.has(key) || (isSentBack && replied.has(parent))) this.figures.duplicates.push(key);
      stored.add(key);
    }
    for (const prompt of this.#seen) if (!stored.has(prompt)) this.figures.messagesLost += 1;
  }
}

/** The number of turns in all, and in one life of the process. */
const stores: readonly [string, () => Promise<StoreHarness>, number, number][] = [
  ["Postgres", startPostgresHarness, turnCount, 25],
  ["PostgREST", startSupabaseHarness, turnCount / 5, 10],
  ["PGlite", startPglite, turnCount / 5, 10],
];

describe("SIGKILL at random points of turns", { timeout: 1_800_000, concurrency: true }, () => {
  let model: SeededModel;
  before(async () => {
    model = await SeededModel.start();
  });
  after(() => model.close());

  for (const [name, startStore, count, turnsPerLife] of stores) {
    test(`loses no message and at most 2 s of text, doubles nothing and changes no byte, on ${name}`, async (context) => {
      context.diagnostic(`FOREWORD_CHAOS_SEED=${seed}`);
      const harness = await startStore();
      const replica = await Replica.start({ ...model.variables, ...harness.variables });
      try {
        const chaos = new Chaos(new SeededRandom(`${seed} ${name}`), model, replica, turnsPerLife);
        const { figures } = chaos;
        while (figures.turns < count) {
          await chaos.live();
          if (figures.turns % 100 === 0) console.log(`${name}: ${figures.turns} of ${count} turns`);
        }
        replica.kill("SIGTERM");
        assert.equal(await replica.exit(), 0);
        await chaos.checkRows(harness);
        figures.report(context);
        const { messagesLost, duplicates, bytesThatDiffer, lostMs } = figures;
        assert.deepEqual(
          { messagesLost, duplicates, bytesThatDiffer },
          { messagesLost: 0, duplicates: [], bytesThatDiffer: 0 },
        );
        assert.ok(figures.interrupted > count / 10, "the kills hit running turns");
        assert.ok(Math.max(...lostMs) <= maxLostMs);
      } finally {
        await replica.close();
        await harness.stop();
      }
    });
  }
});
