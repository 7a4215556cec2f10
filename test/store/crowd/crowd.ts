/** Runs a crowd, many users of one server who act independently at once, and checks all rows at the end. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Agent } from "node:http";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import { service, type Database } from "../../../src/store/database/database.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { IdentityProvider } from "../../support/apps/identity-provider.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import { ScriptedModel } from "../../support/model/scripted-model.ts";
import { SeededRandom } from "../../support/model/seeded-reply.ts";
import { startApp, type RunningApp } from "../../support/apps/start-app.ts";
import * as attacks from "./crowd-attacks.ts";
import { CrowdClient, nobody, Owners, toMark, type Tally } from "./crowd-client.ts";
import { Faults, HastyClock } from "./crowd-faults.ts";
import { assertPoolIsClean } from "./crowd-probe.ts";
import { assertRows, parseRows, rowsSql } from "./crowd-rows.ts";
import * as turns from "./crowd-turns.ts";
import { CrowdUser } from "./crowd-user.ts";
import type { StoreHarness } from "../../support/databases/store-harness.ts";

const userCount = 40;
/** How long turns that still run at the end may take, in milliseconds. */
const drainMs = 10_000;

/** A database under a crowd. */
export interface CrowdPlace {
  readonly harness: StoreHarness;
  readonly variables: Readonly<Record<string, string>>;
  /** Whether only the server can open it. */
  readonly isEmbedded?: boolean;
  /** Signs users' tokens, if the project does that itself. */
  readonly sign?: (userId: string) => string;
  /**
   * Its connections, if they can be inspected and broken: the superuser's URL, their role and a filter for
   * them.
   */
  readonly pool?: {
    readonly url: string;
    readonly size: number;
    readonly role: string;
    readonly backends: string;
  };
}

/** The number of a crowd's calls, and the seed they are drawn from. */
export interface CrowdDay {
  readonly callCount: number;
  readonly seed: string;
  readonly tally: Tally;
}

type Move = (user: CrowdUser, targets: attacks.Targets) => Promise<unknown>;

/** The users' actions, with their weights. */
const moves: readonly (readonly [number, Move])[] = [
  [5, (user) => user.create()],
  [1, (user) => user.createAgain()],
  [7, (user) => user.get()],
  [6, (user) => user.readPath()],
  [6, (user) => user.readTree()],
  [4, (user) => user.export()],
  [6, (user) => user.list()],
  [6, (user) => user.rename()],
  [4, (user) => user.chooseLeaf()],
  [3, (user) => user.deleteOne()],
  [1, (user) => user.deleteAll()],
  [4, (user) => user.readTurn()],
  [4, turns.beginConversation],
  [4, turns.continueLeaf],
  [2, turns.continueMessage],
  [2, turns.resendPath],
  [1, turns.stopTurn],
  [9, attacks.readForeign],
  [3, attacks.searchForeign],
  [6, attacks.writeForeign],
  [2, attacks.takeForeign],
  [2, attacks.chooseForeignLeaf],
  [3, attacks.runForeignTurn],
  [4, attacks.reachForeignTurn],
  [2, attacks.pretend],
];
const bag = moves.flatMap(([weight, move]) => Array.from({ length: weight }, () => move));

/** Runs a crowd against a server on `place`; checks every response, and all rows at the end. */
export async function runCrowd(place: CrowdPlace, day: CrowdDay): Promise<void> {
  const { tally, seed } = day;
  const [provider, model] = await Promise.all([IdentityProvider.start(), ScriptedModel.start()]);
  const leaks: string[] = [];
  model.script = (call) => turns.answerAsModel(call, (prompt) => leaks.push(prompt));
  const random = new SeededRandom(seed);
  const clock = new HastyClock(random, tally);
  const app = await startApp(toVariables(place, provider, model), clock);
  const agent = new Agent({ keepAlive: true });
  try {
    const { database } = app.app.store;
    assert.ok(database !== undefined);
    const { pool } = place;
    const unowned = await addUnowned(database);
    const untouched = await readUnowned(database, unowned);
    clock.isHasty = true;
    const faults = pool && (await Faults.start(pool.url, pool.backends, tally));
    const sign = place.sign ?? ((userId) => provider.sign(provider.claimsOf(userId, new Date())));
    const users = await gather({ app, agent, place, sign }, day, (crowd) =>
      faults?.strike(drawLocked(crowd, random)),
    );
    await mingle(users, unowned, day)
      .catch((cause: unknown) => {
        throw new Error(`refused by the database: ${toRefusals(app)}`, { cause });
      })
      .finally(() => faults?.stop());
    clock.isHasty = false;
    await landAll(app, users);
    assert.deepEqual(leaks, [], "prompts with another user's text");
    assert.deepEqual(await readUnowned(database, unowned), untouched);
    if (pool !== undefined) await assertPoolIsClean(database, pool.url, pool.size, pool.role);
    countTroubles(app, tally);
    await app.close(drainMs);
    assert.deepEqual([app.app.store.journal?.queued, app.app.store.journal?.rejected], [0, 0]);
    assertRows(parseRows(await place.harness.sql(rowsSql)), users);
  } finally {
    agent.destroy();
    await app.close();
    await Promise.all([model.close(), provider.close()]);
  }
}

/** What the log says of calls that the database refused for a reason that we do not know. */
function toRefusals({ logs }: RunningApp): string {
  return JSON.stringify(logs.filter((line) => line["code"] === "store_refused"));
}

function toVariables(
  place: CrowdPlace,
  provider: IdentityProvider,
  model: ScriptedModel,
): Record<string, string> {
  return {
    AUTH: "supabase",
    SUPABASE_URL: provider.url,
    CHAT_STORE_ENABLED: "true",
    OPENAI_BASE_URL: model.url,
    OPENAI_MODEL: "scripted",
    LOG_LEVEL: "warn",
    ...place.variables,
  };
}

/** Adds two conversations without an owner, each with a turn. */
async function addUnowned(database: Database): Promise<string[]> {
  const writes = new TurnWrites(database, systemClock);
  const begun = [makeTurn([`u: ${toMark(nobody)} one`]), makeTurn([`u: ${toMark(nobody)} two`])];
  for (const turn of begun) {
    await beginTurn(writes, turn);
    await endTurn(writes, turn, makeResult(`${toMark(nobody)} answer`));
  }
  return begun.map(({ conversationId }) => conversationId);
}

async function readUnowned(database: Database, ids: readonly string[]): Promise<unknown> {
  return await Promise.all(
    ids.flatMap((id) => [
      database.call("chat_get_conversation", { conversation_id: id }, service),
      database.call("chat_list_messages", { conversation_id: id, is_tree: true }, service),
    ]),
  );
}

interface GatherOptions {
  readonly app: RunningApp;
  readonly agent: Agent;
  readonly place: CrowdPlace;
  readonly sign: (userId: string) => string | Promise<string>;
}

async function gather(
  { app, agent, place, sign }: GatherOptions,
  { seed, tally }: CrowdDay,
  onCall: (crowd: readonly CrowdUser[]) => void,
): Promise<CrowdUser[]> {
  const owners = new Owners();
  const users: CrowdUser[] = [];
  const { harness, isEmbedded } = place;
  const sql = isEmbedded === true ? undefined : (statement: string) => harness.sql(statement);
  const options = { url: app.url, agent, owners, tally, sql, onCall: () => onCall(users) };
  for (let number = 1; number <= userCount; number += 1) {
    const person = { number, userId: randomUUID(), isKeeper: number % 2 === 1 };
    users.push(
      new CrowdUser(person, new CrowdClient(options, number, await sign(person.userId)), owners, seed),
    );
  }
  return users;
}

/** Draws a conversation whose row is worth locking. */
function drawLocked(users: readonly CrowdUser[], random: SeededRandom): string | undefined {
  const alive = users[random.integer(0, users.length - 1)]?.memory.listAlive() ?? [];
  return alive[random.integer(0, alive.length - 1)]?.id;
}

/** All users act at once, each doing one thing after another. */
async function mingle(
  users: readonly CrowdUser[],
  unowned: readonly string[],
  { callCount, tally }: CrowdDay,
): Promise<void> {
  const keepers = users.filter(({ person }) => person.isKeeper);
  const drawBut = (user: CrowdUser, among: readonly CrowdUser[]): CrowdUser | undefined =>
    user.draw(among.filter((other) => other !== user));
  const targets: attacks.Targets = {
    drawKeeper: (user) => drawBut(user, keepers),
    drawOther: (user) => drawBut(user, users),
    unowned,
  };
  const lives = users.map(async (user) => {
    while (tally.get("calls") < callCount) await user.draw(bag)?.(user, targets);
  });
  // All users have finished before the crowd is closed.
  const fates = await Promise.allSettled(lives);
  for (const fate of fates) if (fate.status === "rejected") throw fate.reason;
}

/**
 * Empties the journal: each turn that the store takes shows that it is available. Then ends turns without a
 * running owner: a turn that continues a leaf is not queued, so a begin whose result is lost (a 503) may
 * leave one in the rows until recovery runs.
 */
async function landAll({ app }: RunningApp, [user]: readonly CrowdUser[]): Promise<void> {
  assert.ok(user !== undefined);
  while ((app.store.journal?.queued ?? 0) > 0) await turns.beginConversation(user);
  const { records } = app.store;
  assert.ok(records !== undefined);
  while ((await records.recovery.listAbandoned({ except: [], isStaleToo: false })).length > 0);
}

/** Counts the database's refusals in the log by SQLSTATE. */
function countTroubles({ logs }: RunningApp, tally: Tally): void {
  for (const line of logs) {
    const [, code] = /"([0-9A-Z]{5}): /.exec(JSON.stringify(line)) ?? [];
    if (code !== undefined) tally.add(code);
    assert.ok(line["code"] !== "store_refused" && line["code"] !== "write_rejected", JSON.stringify(line));
  }
}
