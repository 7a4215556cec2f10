/** `npm run bench:knowledge`: how fast a large knowledge base is searched, or how well a small one. */
import { parseArgs } from "node:util";
import { z } from "zod";
import {
  startPglite,
  startPostgresHarness,
  type StoreHarness,
} from "../../test/support/databases/store-harness.ts";
import { vectorStores } from "../../test/support/databases/vector-stores.ts";
import { measureRetrieval, toRetrievalTable } from "./retrieval.ts";
import { readRetrievalSet } from "./retrieval-set.ts";
import { measureSpeed } from "./speed.ts";

const help = `Usage: npm run bench:knowledge -- [options]

Fills a database with the passages of one user among those of others, and prints how long searches take, how
long a document takes to be stored, and the bytes of a passage. The targets are for a median:
  50 ms   npm run bench:knowledge -- --others 990000
  150 ms  npm run bench:knowledge -- --others 90000 --database pglite
and by words and vectors (on Postgres, if one with pgvector is installed):
  150 ms  npm run bench:knowledge -- --vectors --others 990000
  300 ms  npm run bench:knowledge -- --vectors --others 90000 --database pglite

Options:
  --retrieval           asks questions in many languages instead, and prints how often the passage that answers
                        them is found first, and among the first five
  --vectors             gives each passage a vector of 384 numbers, and searches by vectors, too
  --database <name>     postgres or pglite (postgres)
  --passages <n>        passages of the user who searches, in hundreds (10000)
  --others <n>          passages of all others (20000)
  --searches <n>        number of searches (40)
  -h, --help            prints this help
`;

const Count = z.string().regex(/^\d+$/, "must be a whole number").transform(Number);
const Options = z.object({
  retrieval: z.boolean().default(false),
  vectors: z.boolean().default(false),
  database: z.enum(["postgres", "pglite"]).default("postgres"),
  passages: Count.prefault("10000"),
  others: Count.prefault("20000"),
  searches: Count.prefault("40"),
});

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      retrieval: { type: "boolean" },
      vectors: { type: "boolean" },
      database: { type: "string" },
      passages: { type: "string" },
      others: { type: "string" },
      searches: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) return void process.stdout.write(help);
  const options = Options.parse(values);
  const harness = await start(options);
  try {
    if (!options.retrieval) return await measureSpeed(harness, options);
    const results = await measureRetrieval(harness, readRetrievalSet());
    for (const line of toRetrievalTable(results)) console.log(line);
  } finally {
    await harness.stop();
  }
}

async function start({ database, vectors }: z.output<typeof Options>): Promise<StoreHarness> {
  const isEmbedded = database === "pglite";
  if (!vectors) return await (isEmbedded ? startPglite() : startPostgresHarness());
  const store = vectorStores.find(({ name }) => name === (isEmbedded ? "PGlite" : "Postgres"));
  if (store === undefined) throw new Error("no such database");
  if (store.skip !== false) throw new Error(store.skip);
  return await store.start();
}

await main();
