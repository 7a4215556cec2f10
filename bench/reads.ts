/** `npm run bench:reads`: times pages of a large history through the real routes, beside their target. */
import { parseArgs } from "node:util";
import { Client } from "pg";
import { v7 as createId } from "uuid";
import { z } from "zod";
import { loadSchema } from "../src/store/schema/schema.ts";
import { startPostgres } from "../test/support/databases/postgres-server.ts";
import { startApp, type RunningApp } from "../test/support/apps/start-app.ts";
import { analyzeRows, seedRows } from "./seed/seed-rows.ts";
import { showProgress } from "./seed/show-progress.ts";

const help = `Usage: npm run bench:reads -- [options]

Starts a Postgres, fills it with a history (as npm run seed does), and requests pages through the server's routes.
Prints the median and 95th percentile of each page in milliseconds; exits with 1 if a median misses the target.
Takes a few minutes.

Options:
  --conversations <n>  number of conversations, a fifth of them one user's (50000)
  --messages <n>       total number of messages (1000000)
  --rounds <n>         requests per page (40)
  -h, --help           prints this help
`;

const targetMs = 20;
const warmUps = 3;
/** Longest time to spend on one page. */
const longestMs = 4_000;

const Count = z
  .string()
  .regex(/^[1-9]\d*$/, "must be a positive whole number")
  .transform(Number);
const Options = z.object({
  conversations: Count.prefault("50000"),
  messages: Count.prefault("1000000"),
  rounds: Count.prefault("40"),
});
const Page = z.object({
  conversations: z.array(z.object({ id: z.string() })),
  nextCursor: z.string().nullable(),
});

/** A page to request, and whether the target applies to it. */
interface Case {
  readonly name: string;
  readonly path: string;
  readonly hasTarget: boolean;
}

/** Searches for words of seed-text.ts, by the case that each stands for. */
const searches: Readonly<Record<string, string>> = {
  "a word in every message": "everywhere",
  "in every reply": "replied",
  "in every conversation once": "opening",
  "in half of them once": "half",
  "in a tenth of them once": "tenth",
  "in all messages of a tenth": "wholetenth",
  "in a hundredth of them once": "hundredth",
  "in one message": "rare",
  "in none": "nowhere",
  "in all messages of others, few of mine": "elsewhere",
  "in 2,000 messages, the oldest": "archaic",
  "a common word and a rare one": "everywhere rare",
  "two common words": "everywhere asked",
  "either of two": "rare or hundredth",
  "one without another": "everywhere -opening",
  "only an excluded word": "-rare",
  "only an excluded word, in every message": "-everywhere",
  "a phrase in every reply": '"everywhere replied"',
};
/** Searches that an index of words cannot answer fast: shown without a target. */
const worst: Readonly<Record<string, string>> = {
  "in 20,000 messages, the oldest": "ancient",
  "two words, each in half, never in one message": "asked replied",
  "a phrase of common words that is nowhere": '"asked everywhere"',
};

async function listCases(app: RunningApp, userId: string): Promise<Case[]> {
  const user = `userId=${userId}`;
  const pages: z.infer<typeof Page>[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const path = `/conversations?limit=100&${user}${cursor && `&cursor=${cursor}`}`;
    const page = Page.parse(JSON.parse((await app.get(path)).body));
    pages.push(page);
    cursor = page.nextCursor;
  }
  const late = pages.filter(({ nextCursor }) => nextCursor !== null)[Math.floor((pages.length - 1) * 0.9)];
  if (late === undefined) throw new Error("--conversations must be at least 1000, for a second page");
  const conversation = `/conversations/${late.conversations[0]?.id}`;
  const ways = {
    "": "",
    ", late page": `&cursor=${late.nextCursor}`,
    ", archived": "&archived=true",
    ", 100 a page": "&limit=100",
  };
  const toCases = (name: string, query: string, hasTarget: boolean): Case[] =>
    Object.entries(ways).map(([way, more]) => ({
      name: name + way,
      path: `/conversations?${user}${query}${more}`,
      hasTarget,
    }));
  const search = (list: typeof searches, hasTarget: boolean): Case[] =>
    Object.entries(list).flatMap(([name, words]) =>
      toCases(`search: ${name}`, `&query=${encodeURIComponent(words)}`, hasTarget),
    );
  return [
    ...toCases("list", "", true),
    { name: "open", path: `${conversation}?${user}`, hasTarget: true },
    { name: "messages", path: `${conversation}/messages?${user}`, hasTarget: true },
    { name: "messages, all branches", path: `${conversation}/messages?tree=true&${user}`, hasTarget: true },
    { name: "export", path: `${conversation}/export?${user}`, hasTarget: true },
    ...search(searches, true),
    ...search(worst, false),
  ];
}

async function measure(app: RunningApp, { path, hasTarget }: Case, rounds: number): Promise<number[]> {
  const times: number[] = [];
  const endMs = performance.now() + longestMs;
  for (let round = -warmUps; round < rounds; round += 1) {
    const startMs = performance.now();
    const { status, body } = await app.get(path);
    // A page that takes longer than a store call's deadline is refused: that time is the figure.
    if (status !== 200 && (hasTarget || status !== 503)) throw new Error(`${path}: ${status} ${body}`);
    const isLate = performance.now() > endMs;
    if (round >= 0 || isLate) times.push(performance.now() - startMs);
    if (isLate) break;
  }
  return times.toSorted((a, b) => a - b);
}

/**
 * Fills a database. The word index is created after the rows, which is faster than updating it row by row.
 */
async function fill(url: string, options: z.infer<typeof Options>, userId: string): Promise<void> {
  const schema = await loadSchema({ conversations: "conversations", messages: "messages", turns: "turns" });
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(schema);
    await client.query("drop index public.message_words_idx");
    await seedRows(client, { ...options, userId }, showProgress("messages created", options.messages));
    process.stderr.write("  building the word index\n");
    await client.query(schema);
    await analyzeRows(client);
  } finally {
    await client.end();
  }
}

/** Prints the table; returns whether the target is met. */
async function run(options: z.infer<typeof Options>): Promise<boolean> {
  const server = await startPostgres();
  try {
    const userId = createId();
    await fill(server.url, options, userId);
    const app = await startApp({
      CHAT_STORE_ENABLED: "true",
      DEMO_MODE: "true",
      DATABASE_URL: server.url,
      LOG_LEVEL: "silent",
    });
    let missed = 0;
    try {
      process.stdout.write(`${"page".padEnd(66)}${"median".padStart(8)}${"p95".padStart(8)}\n`);
      for (const entry of await listCases(app, userId)) {
        const times = await measure(app, entry, options.rounds);
        const [median = 0, p95 = 0] = [0.5, 0.95].map((part) => times[Math.floor(part * times.length)]);
        if (entry.hasTarget && median > targetMs) missed += 1;
        const mark = entry.hasTarget ? (median > targetMs ? "✗" : "✓") : "no target";
        const figures = [median, p95].map((ms) => ms.toFixed(1).padStart(8)).join("");
        process.stdout.write(`${entry.name.padEnd(66)}${figures}  ${mark}\n`);
      }
    } finally {
      await app.close();
    }
    process.stdout.write(`\nTarget: a median of at most ${targetMs} ms. Missed: ${missed}.\n`);
    return missed === 0;
  } finally {
    await server.stop();
  }
}

const { values } = parseArgs({
  options: {
    conversations: { type: "string" },
    messages: { type: "string" },
    rounds: { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help === true) process.stdout.write(help);
else {
  const parsed = Options.safeParse(values);
  if (parsed.success) process.exitCode = (await run(parsed.data)) ? 0 : 1;
  else {
    process.stderr.write(
      `${parsed.error.issues.map(({ path, message }) => `--${path.join(".")} ${message}`).join("\n")}\n`,
    );
    process.exitCode = 2;
  }
}
