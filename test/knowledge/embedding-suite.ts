/** The embedding of passages in the background, when the database or the server of embeddings misbehaves. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { AppError, type ErrorCode } from "../../src/base/errors.ts";
import { toEmbeddings } from "../../src/config/embeddings.ts";
import { Environment } from "../../src/config/variables.ts";
import { EmbeddingServer } from "../../src/grounding/embeddings/embedding-server.ts";
import { PassageEmbedding } from "../../src/knowledge/embeddings/passage-embedding.ts";
import { VectorRows } from "../../src/knowledge/embeddings/vector-rows.ts";
import type { ObservedEvent } from "../../src/turn/observer.ts";
import { intercept } from "../support/databases/intercept.ts";
import type { UsedKnowledge } from "../support/databases/use-knowledge.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { useEmbeddings } from "../support/web/scripted-embeddings.ts";

/** The pause after the first failure, and that between looks for passages, in milliseconds. */
const [pauseMs, idleMs] = [1_100, 3_700];
const settledMs = 60_000;

/**
 * Tests embedding on a database that can store vectors.
 * @param finish embeds what other tests have left.
 * @param takeNext resolves with the document that can be taken at once.
 */
export function testEmbedding(
  used: UsedKnowledge,
  finish: () => Promise<void>,
  takeNext: () => Promise<string | undefined>,
): void {
  const embeddings = useEmbeddings("test");

  /** Starts to embed. @param fault the error of a call that stores so many vectors, if it fails. */
  function start(fault: (vectorCount: number) => ErrorCode | undefined, leaseMs = 60_000) {
    const { database } = used.knowledge;
    const faulty = intercept(database, async (name, argument, ...rest) => {
      const { vectors } = argument;
      const code = name === "chat_save_vectors" && Array.isArray(vectors) ? fault(vectors.length) : undefined;
      if (code !== undefined) throw new AppError(code, "42501: permission denied for schema extensions");
      return await database.call(name, argument, ...rest);
    });
    const clock = new ManualClock();
    const told: ObservedEvent[] = [];
    const settings = toEmbeddings(Environment.parse(embeddings.variables)) ?? assert.fail("no embeddings");
    const server = new EmbeddingServer(settings);
    const rows = new VectorRows(faulty, { leaseMs, settledMs });
    const embedding = new PassageEmbedding({ rows, server, clock, observe: (event) => told.push(event) });
    const close = async (): Promise<void> => {
      await embedding.close();
      await server.close();
    };
    return { clock, told, close };
  }

  /** Adds a document of so many passages; resolves with how many of them are embedded, whenever asked. */
  async function add(count: number): Promise<{ id: string; embedded: () => Promise<number | undefined> }> {
    await finish();
    const user = { userId: randomUUID(), accessToken: undefined };
    const passages = Array.from({ length: count }, (_, index) => ({ text: `Vacation no. ${index}.` }));
    const id = await used.knowledge.addRead(user.userId, "b", passages);
    return { id, embedded: async () => (await used.knowledge.rows.get(user, id))?.embedded };
  }

  const askedFor = (part: string): number =>
    embeddings.requests.filter(({ body }) => body.input.some((text) => text.includes(part))).length;

  test("that the database refuses to store are told once, and paid once", async () => {
    const { embedded } = await add(3);
    let code: ErrorCode | undefined = "store_refused";
    // A lease that has ended: no attempt waits for the one before it.
    const { clock, told, close } = start(() => code, -1);
    for (const waitMs of [pauseMs, 2 * pauseMs, 4 * pauseMs]) {
      await clock.timerThat((delayMs) => delayMs === waitMs || delayMs > 8 * pauseMs);
      assert.equal(askedFor("no. 0"), 1);
      clock.advance(waitMs);
    }
    await clock.timer(8 * pauseMs);
    assert.deepEqual(
      told.map((event) => [event.type, "error" in event && event.error?.code]),
      [["embedding-paused", "store_refused"]],
    );
    code = undefined;
    clock.advance(8 * pauseMs);
    await clock.timer(idleMs);
    assert.deepEqual([await embedded(), askedFor("no. 0"), told.length], [3, 2, 1]);
    await close();
  });

  test("that were stored before the database failed are not embedded again", async () => {
    const { embedded } = await add(40);
    let saves = 0;
    const { clock, close } = start((count) => {
      saves += count > 0 ? 1 : 0;
      return count > 0 && saves === 2 ? "store_unavailable" : undefined;
    });
    await clock.timerThat((delayMs) => delayMs === pauseMs || delayMs > idleMs);
    assert.equal(await embedded(), 16);
    clock.advance(60_000);
    await clock.timer(idleMs);
    assert.equal(await embedded(), 40);
    assert.deepEqual([askedFor("no. 15."), askedFor("no. 16."), askedFor("no. 39.")], [1, 2, 1]);
    await close();
  });

  test("are given back if the server's vectors get another width meanwhile", async () => {
    const { id, embedded } = await add(3);
    embeddings.respond = ({ body }) => {
      if (body.input.some((text) => text.includes("Vacation"))) embeddings.width = 6;
      return undefined;
    };
    const { clock, close } = start(() => undefined);
    await clock.timer(pauseMs);
    await close();
    assert.equal(await embedded(), 0);
    assert.equal(await takeNext(), id);
  });
}
