/** The rows of knowledge bases on a suite's database, and documents that are read without an app. */
import assert from "node:assert/strict";
import { hash, randomUUID } from "node:crypto";
import { systemClock } from "../../../src/base/clock.ts";
import { toDocumentId } from "../../../src/knowledge/document-id.ts";
import { KnowledgeRows } from "../../../src/knowledge/knowledge-rows.ts";
import { PassageSearch, toIndexedText } from "../../../src/knowledge/search/passage-search.ts";
import { leaseMs, ReadingRows, type TakenDocument } from "../../../src/knowledge/reading/reading-rows.ts";
import { AttachmentRows } from "../../../src/store/attachments/attachment-rows.ts";
import type { Database } from "../../../src/store/database/database.ts";
import { countPassageWords, toPassageVector } from "../../../src/store/words/passage-words.ts";
import { useDatabase, useResource } from "../apps/use-app.ts";
import type { StoreHarness } from "./store-harness.ts";

/** A passage as tests write it. */
export interface TestPassage {
  readonly text: string;
  readonly page?: number;
  readonly heading?: string;
}

/** The knowledge bases of a database. */
export class TestKnowledge {
  readonly database: Database;
  readonly rows: KnowledgeRows;
  readonly reading: ReadingRows;
  readonly search: PassageSearch;
  readonly originals: AttachmentRows;

  constructor(
    database: Database,
    { maxPassages = 50_000, maxUserBytes = 1_000_000_000, leaseMs: givenMs = leaseMs } = {},
  ) {
    this.database = database;
    this.rows = new KnowledgeRows(database, { maxPassages, maxUserBytes });
    this.reading = new ReadingRows(database, { maxPassages, leaseMs: givenMs });
    this.search = new PassageSearch(database);
    this.originals = new AttachmentRows({ database, bucket: undefined, observe: () => {} });
  }

  /** Adds a document whose original is `text`; resolves with its id. */
  async add(userId: string | undefined, base: string, text: string, name = "notes.txt"): Promise<string> {
    const caller = { userId, accessToken: undefined };
    const bytes = Buffer.from(text);
    const digest = hash("sha256", bytes);
    const id = toDocumentId(userId, base, digest);
    const document = { id, name, type: "text", sizeBytes: bytes.length };
    const saved = await this.rows.save(caller, base, document);
    if (saved === "full") throw new Error("full");
    if (saved === "missing") {
      const data = bytes.toString("base64");
      const original = { id, digest, textDigest: "", mediaType: "text/plain", sizeBytes: bytes.length };
      await this.originals.store(userId, [{ ...original, name, data }], true);
      assert.equal(await this.rows.save(caller, base, document), "stored");
    }
    return id;
  }

  /** Takes documents and gives them back until it has the document `id`. */
  async take(id: string, leaseId: string = randomUUID()): Promise<TakenDocument> {
    for (;;) {
      const taken = (await this.reading.take(leaseId)) ?? assert.fail("no document waits");
      if (taken.id === id) return taken;
      await this.reading.end(taken.id, leaseId, nothingRead, { state: "waiting" });
    }
  }

  /** Adds a document and reads it at once, as these passages. */
  async addRead(
    userId: string | undefined,
    base: string,
    passages: readonly TestPassage[],
    name?: string,
  ): Promise<string> {
    const id = await this.add(userId, base, JSON.stringify(passages), name);
    const leaseId = randomUUID();
    const taken = await this.take(id, leaseId);
    let words = 0;
    const read = passages.map(({ text, page, heading }, ordinal) => {
      const passage = { ordinal, page, heading, text };
      const counts = countPassageWords(toIndexedText(passage));
      words += counts.size;
      return { ...passage, words: toPassageVector(counts.keys(), taken.knowledgeBaseId) };
    });
    const progress = { pagesRead: 1, pages: 1, passages: read.length, words };
    assert.equal(await this.reading.save(id, leaseId, progress, read), "held");
    assert.equal(await this.reading.end(id, leaseId, progress, { state: "ready" }), "held");
    return id;
  }
}

/** The progress of a reading that has not begun. */
export const nothingRead = { pagesRead: 0, pages: undefined, passages: 0, words: 0 };

/** The knowledge bases of a suite's database. */
export interface UsedKnowledge {
  readonly knowledge: TestKnowledge;
  readonly harness: StoreHarness;
}

/** Starts a database for a suite, and opens it. */
export function useKnowledge(start: () => Promise<StoreHarness>): UsedKnowledge {
  const server = useDatabase(start);
  let opened: TestKnowledge | undefined;
  useResource(async (closing) => {
    const database = await server.harness.open(systemClock);
    closing.defer(() => database.close());
    opened = new TestKnowledge(database);
  });
  return {
    get knowledge() {
      return opened ?? assert.fail("it has not been opened");
    },
    get harness() {
      return server.harness;
    },
  };
}
