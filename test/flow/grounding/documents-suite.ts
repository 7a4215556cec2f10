/** Turns with a knowledge base, on every database: its passages reach the model, cited by page. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { KnowledgeClient } from "../../support/clients/knowledge-client.ts";
import { toStreamEvents, type StreamEvent } from "../../support/clients/stream-events.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import { makePdf } from "../../support/documents/make-pdf.ts";

const hint = /The user has chosen the knowledge base "handbook"/;

/** Runs the suite on the database that `start` starts. */
export function runDocumentSourcesSuite(name: string, start: () => Promise<StoreHarness>): void {
  describe(`turns with a knowledge base on ${name}`, { timeout: 120_000 }, () => {
    const model = useModel();
    const database = useDatabase(start);
    const app = useApp(model, {}, { database });

    async function ask(userId: string, text: string, base = "handbook"): Promise<readonly StreamEvent[]> {
      const body = { messages: [{ role: "user", content: text }], knowledge_base: base, userId };
      const response = await app.post("/stream-chat", body, { accept: "text/event-stream" });
      return toStreamEvents(response.body);
    }

    function readInstruction(): string {
      return String(model.calls.at(-1)?.body.messages[0]?.content);
    }

    test("give the model the passages that fit, and the client their document, page and heading", async () => {
      const client = new KnowledgeClient(app, randomUUID());
      const pdf = makePdf([
        [
          { text: "Holidays", x: 72, y: 700, size: 20 },
          { text: "Everyone has 28 days of leave a year.", x: 72, y: 660 },
        ],
        [
          { text: "Travel", x: 72, y: 700, size: 20 },
          { text: "Trains are booked in second class.", x: 72, y: 660 },
        ],
      ]);
      const { id } = await client.addRead("handbook", pdf, "Staff.pdf");
      await client.addRead("handbook", "# 工资\n\n工资在每月二十五日发放。\n", "pay.md");
      model.say("- Look it up\n---RESPONSE---\n", "Second class [1].");
      const events = await ask(client.userId, "Which class do I book on trains?", " handbook ");
      const [, search, source] = events;
      assert.deepEqual([search?.type, search?.["kind"], search?.["status"]], ["search", "document", "found"]);
      assert.deepEqual(
        [source?.["number"], source?.["kind"], source?.["title"], source?.["documentId"]],
        [1, "document", "Staff.pdf", id],
      );
      assert.deepEqual([source?.["page"], source?.["heading"], source?.["url"]], [2, "Travel", null]);
      // The document is small: the model gets all of it.
      assert.match(
        readInstruction(),
        /id="1" title="Staff\.pdf" page="1-2" heading="Travel">\nHolidays\n\n[^]*\nTravel\n\nTrains/,
      );
      assert.match(String(source?.["quote"]), /^Travel Trains/);
      assert.doesNotMatch(readInstruction(), hint);
      assert.deepEqual(model.calls.at(-1)?.body.messages.slice(1), [
        { role: "user", content: "Which class do I book on trains?" },
      ]);
      const chinese = await ask(client.userId, "什么时候发放工资？");
      assert.equal(chinese[2]?.["title"], "pay.md");
    });

    test("tell the model only the name of a base that does not exist, of the user's own or of another's", async () => {
      const owner = new KnowledgeClient(app, randomUUID());
      await owner.addRead("handbook", "The secret word is xylophone.", "secret.txt");
      const events = await ask(randomUUID(), "What is the secret word?");
      assert.ok(events.every(({ type }) => type !== "search" && type !== "source"));
      assert.match(readInstruction(), hint);
      assert.doesNotMatch(readInstruction(), /xylophone/);
      assert.equal((await ask(owner.userId, "What is the secret word?"))[2]?.["title"], "secret.txt");
    });

    test("give passages that follow each other as one source, with those beside them, cited by the best one", async () => {
      const client = new KnowledgeClient(app, randomUUID());
      const filler = "Nothing of interest stands in this part of the book. ".repeat(26);
      const parts = Array.from({ length: 60 }, (_, index) => `# Part ${index}\n\n${filler}\n\n`);
      parts[30] = `# Otters\n\nAn otter sleeps afloat. ${filler}\n\n`;
      parts[31] = `# More\n\nAn otter holds hands with another otter while both sleep. ${filler}\n\n`;
      parts[50] = `# Late\n\nAn otter holds hands with no other otter here. ${filler}\n\n`;
      await client.addRead("handbook", parts.join(""), "zoo.md");
      const events = await ask(client.userId, "Does an otter sleep afloat, with which otter, holding hands?");
      const sources = events.filter(({ type }) => type === "source");
      assert.deepEqual(
        sources.map(({ number, heading }) => [number, heading]),
        [
          [1, "More"],
          [2, "Late"],
        ],
      );
      assert.match(String(sources[0]?.["quote"]), /^# More An otter holds hands/);
      const [, first = "", second = ""] = readInstruction().split(/<source-\w+ id=/);
      assert.deepEqual(first.match(/^# .*$/gm), ["# Part 29", "# Otters", "# More", "# Part 32"]);
      assert.deepEqual(second.match(/^# .*$/gm), ["# Late"]);
    });

    test("say that a base holds nothing about the question", async () => {
      const client = new KnowledgeClient(app, randomUUID());
      await client.addRead("handbook", "Everyone has 28 days of leave a year.", "leave.txt");
      const events = await ask(client.userId, "Quokkas?");
      assert.deepEqual([events[1]?.type, events[1]?.["status"]], ["search", "nothing"]);
      assert.match(readInstruction(), /documents hold nothing about this/);
    });
  });
}
