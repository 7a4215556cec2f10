/** Scenario: a search for a word that is in all messages of other users, and in few of one's own. */
import { randomUUID } from "node:crypto";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { runRounds, type Context } from "./context.ts";
import type { Checkout } from "../peers/checkout.ts";
import { applySchemaOf, openPostgres, query, type BenchDatabase } from "../peers/databases.ts";
import { startForeword } from "../peers/foreword.ts";
import { isOnPostgres, toCheckout, type PeerName } from "../peers/peers.ts";
import { onPeerProcessor } from "../peers/processors.ts";
import { Program } from "../program.ts";
import { toTargets } from "../report/limits.ts";
import { toFigure, toMedian, type Row } from "../report/row.ts";

/** In all messages of four fifths of the conversations, and in every thousandth conversation of the user. */
const word = "elsewhere";
const mostMs = 10;
const warmUps = 5;
const times = 40;

const Found = z.object({ conversations: z.array(z.object({ id: z.string() })).min(1) });

function toSeedArgs(userId: string, isSmoke: boolean): readonly string[] {
  const [conversations, messages] = isSmoke ? [100, 400] : [50_000, 1_000_000];
  const options = `--user ${userId} --conversations ${conversations} --messages ${messages}`;
  return ["run", "--silent", "seed", "--", ...options.split(" ")];
}

/** Fills a database with the checkout's own seeder; the word index comes after the rows, which is faster. */
async function fill(
  { say, isSmoke }: Context,
  { root }: Checkout,
  { variables }: BenchDatabase,
  userId: string,
): Promise<void> {
  const { DATABASE_URL: url = "" } = variables;
  await query(url, "drop index if exists public.message_words_idx");
  const program = new Program({
    leader: "npm",
    args: toSeedArgs(userId, isSmoke),
    folder: root,
    variables: { DATABASE_URL: url },
    onText: (said) => say(`search: ${said.trim()}`),
  });
  await program.succeed();
  await applySchemaOf(root, url);
  // The first server of a database would look through all messages once, which the seeder has read.
  await query(url, "delete from public.word_backlog");
  await query(url, "vacuum (analyze)");
}

/** Resolves with the time of a search, in milliseconds. @throws Error if nothing is found. */
async function search(url: string, userId: string): Promise<number> {
  const startMs = performance.now();
  const sent = request(`${url}/conversations?query=${word}&userId=${userId}`).end();
  const received = Promise.withResolvers<string>();
  sent.once("error", received.reject);
  sent.once("response", (response) => void text(response).then(received.resolve, received.reject));
  const body = await received.promise;
  const timeMs = performance.now() - startMs;
  Found.parse(JSON.parse(body));
  return timeMs;
}

/** Runs it on Postgres; resolves with its rows. */
export async function runSearch(context: Context): Promise<readonly Row[]> {
  const peers = context.peers.filter(isOnPostgres);
  const userId = randomUUID();
  const databases = new Map<PeerName, BenchDatabase>();
  for (const peer of peers) {
    const checkout = toCheckout(peer, context.against);
    const database = await openPostgres({ root: checkout.root });
    await fill(context, checkout, database, userId);
    databases.set(peer, database);
  }
  const rounds = await runRounds({ ...context, peers }, "search", async (peer) => {
    const server = await startForeword({
      upstreamUrl: context.upstreamUrl,
      checkout: toCheckout(peer, context.against),
      prefix: onPeerProcessor,
      variables: databases.get(peer)?.variables,
    });
    const timesMs: number[] = [];
    for (let time = -warmUps; time < times; time += 1) {
      const timeMs = await search(server.url, userId);
      if (time >= 0) timesMs.push(timeMs);
    }
    await server.close();
    const result = toMedian(timesMs) ?? Number.NaN;
    return { result, told: `${toFigure(result)} ms` };
  });
  for (const database of databases.values()) await database.close();
  const figure = "a word in 800,000 messages of others, ms";
  const samples: Row["samples"] = Object.fromEntries(rounds);
  const limit = { figure, peer: "foreword-postgres", bound: "most", value: mostMs } as const;
  return [{ scenario: "search", figure, samples, targets: toTargets([limit], figure, samples) }];
}
