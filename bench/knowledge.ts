/** Searches a large knowledge base among others: `npm run bench:knowledge`. */
import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { systemClock } from "../src/base/clock.ts";
import { startPglite, startPostgresHarness } from "../test/support/databases/store-harness.ts";
import { TestKnowledge } from "../test/support/databases/use-knowledge.ts";
import { SeededRandom } from "../test/support/model/seeded-reply.ts";

const { values } = parseArgs({
  options: {
    passages: { type: "string", default: "10000" },
    others: { type: "string", default: "20000" },
    searches: { type: "string", default: "40" },
    database: { type: "string", default: "postgres" },
  },
});
/** Passages of one document. */
const documentPassages = 100;
const passageWords = 220;
const vocabulary = 20_000;
const syllables =
  "ba be bi bo bu da de di do du ka ke ki ko ku la le li lo lu ma me mi mo mu na ne ni no nu ra re ri ro ru sa se si so su ta te ti to tu".split(
    " ",
  );

/** Words as frequent as in a language: the second half as often as the first, and so on. */
class Language {
  readonly #random = new SeededRandom("knowledge");
  readonly #words: readonly string[];

  constructor() {
    this.#words = Array.from({ length: vocabulary }, (_, index) => {
      const count = 1 + Math.floor(Math.log10(index + 1));
      return Array.from(
        { length: count + 1 },
        () => syllables[this.#random.integer(0, syllables.length - 1)],
      ).join("");
    });
  }

  word(): string {
    return (
      this.#words[Math.floor(vocabulary ** (this.#random.integer(0, 1_000_000) / 1_000_000)) - 1] ?? "ba"
    );
  }

  text(words: number): string {
    return Array.from({ length: words }, () => this.word()).join(" ");
  }
}

const language = new Language();
const harness = await (values.database === "pglite" ? startPglite() : startPostgresHarness());
const database = await harness.open(systemClock);
const knowledge = new TestKnowledge(database, { maxPassages: 10_000_000, maxUserBytes: 10 ** 12 });

async function fill(userId: string, count: number): Promise<void> {
  for (let stored = 0; stored < count; stored += documentPassages) {
    const passages = Array.from({ length: documentPassages }, () => ({ text: language.text(passageWords) }));
    await knowledge.addRead(userId, "large", passages);
  }
}

const userId = randomUUID();
const startMs = performance.now();
for (let done = 0; done < Number(values.others); done += 2_000) await fill(randomUUID(), 2_000);
await fill(userId, Number(values.passages));
const seconds = (performance.now() - startMs) / 1000;
console.log(`stored ${values.others} + ${values.passages} passages in ${seconds.toFixed(0)} s`);
const times: number[] = [];
for (let search = 0; search < Number(values.searches); search += 1) {
  const question = language.text(9);
  const askedMs = performance.now();
  await knowledge.search.find({ userId }, "large", question, 8);
  times.push(performance.now() - askedMs);
}
times.sort((a, b) => a - b);
const at = (part: number): string => (times[Math.floor(times.length * part)] ?? 0).toFixed(1);
console.log(
  `figure: search in ${values.passages} passages, ${harness.name}: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms`,
);
await database.close();
await harness.stop();
