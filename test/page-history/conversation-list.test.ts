/** The page's list of conversations, against the real server. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { ForewordError } from "../../packages/foreword-client/src/client.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";
import { HistoryPage, until } from "./history-page.ts";

describe("ConversationList", { timeout: 120_000 }, () => {
  const app = useApp(useModel(), { CHAT_STORE_ENABLED: "true" });
  const number = (count: number): string[] => Array.from({ length: count }, (_, index) => `Number ${index}`);

  test("loads page after page, newest first, each conversation once", async () => {
    const page = new HistoryPage(app);
    const titles = number(160);
    await page.create(...titles);
    await page.open();
    assert.deepEqual([page.titles.length, page.list.state.hasMore], [50, true]);
    page.list.loadMore();
    page.list.loadMore(); // while the first is under way
    await page.untilRead();
    assert.deepEqual([page.titles.length, page.list.state.hasMore], [150, true]);
    page.list.loadMore();
    await page.untilRead();
    assert.deepEqual([page.titles, page.list.state.hasMore], [titles.toReversed(), false]);
    page.requests.length = 0;
    page.list.loadMore();
    assert.deepEqual(page.requests, []);
  });

  async function openAll(titles: readonly string[]): Promise<HistoryPage> {
    const page = new HistoryPage(app);
    await page.create(...titles);
    await page.open();
    page.list.loadMore();
    await page.untilRead();
    return page;
  }

  test("keeps its older pages when a new conversation comes", async () => {
    const titles = number(60);
    const page = await openAll(titles);
    const [id = ""] = await page.create("New");
    page.changes.announce({ type: "turn-start", conversationId: id });
    await page.untilRead();
    assert.deepEqual(page.titles, ["New", ...titles.toReversed()]);
  });

  test("leaves no gap when more conversations have come than a page holds", async () => {
    const titles = number(60);
    const page = await openAll(titles);
    const later = Array.from({ length: 120 }, (_, index) => `Later ${index}`);
    await page.create(...later);
    page.list.refresh();
    await page.untilRead();
    assert.deepEqual(page.titles, [...titles, ...later].toReversed());
  });

  test("shows a change in its place on any page, and no place that is not loaded yet", async () => {
    const page = new HistoryPage(app);
    const ids = await page.create(...number(60));
    const [first = "", second = "", ...others] = ids;
    await page.open();
    const told = async (id: string, isIt: (titles: readonly string[]) => boolean): Promise<void> => {
      page.changes.announce({ type: "update", conversationId: id });
      await until(page.list, () => isIt(page.titles));
    };
    const newest = others.at(-1) ?? "";
    await page.conversations.update(first, { title: "Not loaded" });
    await page.conversations.update(newest, { title: "Newest" });
    page.changes.announce({ type: "update", conversationId: first });
    await told(newest, (titles) => titles[0] === "Newest");
    assert.equal(page.titles.length, 50);
    page.list.loadMore();
    await page.untilRead();
    assert.equal(page.titles.at(-1), "Not loaded");
    await page.conversations.update(second, { archived: true });
    await told(second, (titles) => titles.length === 59);
    await page.conversations.update(second, { archived: false, title: "Back" });
    await told(second, (titles) => titles.length === 60);
    assert.deepEqual(page.titles.slice(-2), ["Back", "Not loaded"]);
    await page.conversations.delete(first);
    await told(first, (titles) => titles.length === 59);
  });

  test("searches 150 ms after the last key, once", async () => {
    const page = new HistoryPage(app);
    await page.create("Oslo in May", "Rome in June");
    await page.open();
    const before = page.requests.length;
    for (const query of ["o", "os", "osl"]) {
      page.list.search(query);
      page.clock.advance(149);
    }
    assert.equal(page.requests.length, before);
    page.clock.advance(1);
    await page.untilRead();
    assert.deepEqual(
      page.requests.slice(before).map(({ url }) => url.searchParams.get("query")),
      ["osl"],
    );
    assert.deepEqual([page.titles, page.list.state.shown.query], [["Oslo in May"], "osl"]);
    page.list.search("");
    await page.untilRead();
    assert.deepEqual(page.titles, ["Rome in June", "Oslo in May"]);
  });

  test("ignores the response to an earlier search that comes after that to a later one", async () => {
    const page = new HistoryPage(app);
    await page.create("Oslo", "Rome");
    await page.open();
    const late = Promise.withResolvers<void>();
    page.hold = async ({ url }) => {
      if (url.searchParams.get("query") === "oslo") await late.promise;
    };
    page.list.search("oslo");
    page.clock.advance(150);
    page.list.search("rome");
    page.clock.advance(150);
    await until(page.list, ({ shown }) => shown.query === "rome");
    late.resolve();
    await page.untilRead();
    assert.deepEqual([page.titles, page.list.state.wanted.query], [["Rome"], "rome"]);
  });

  test("shows the archived conversations alone, and those found among them", async () => {
    const page = new HistoryPage(app);
    const [oslo = "", rome = ""] = await page.create("Oslo", "Rome", "Bern");
    for (const id of [oslo, rome]) await page.conversations.update(id, { archived: true });
    await page.open();
    assert.deepEqual(page.titles, ["Bern"]);
    page.list.showArchived(true);
    await page.untilRead();
    assert.deepEqual(page.titles.toSorted(), ["Oslo", "Rome"]);
    page.list.search("rome");
    page.clock.advance(150);
    await page.untilRead();
    assert.deepEqual(page.titles, ["Rome"]);
  });

  test("asks once more for all changes that come while it is loading", async () => {
    const page = new HistoryPage(app);
    await page.open();
    page.requests.length = 0;
    page.hold = async () => {
      page.hold = async () => {};
      await page.create("New");
      for (let count = 0; count < 20; count += 1) page.changes.announce({ type: "turn-end" });
    };
    page.list.refresh();
    await until(page.list, ({ conversations }) => conversations.length === 1);
    await page.untilRead();
    assert.equal(page.requests.filter(({ method }) => method === "GET").length, 2);
  });

  test("says that it is not up to date, keeps its rows, and recovers", async () => {
    const page = new HistoryPage(app);
    await page.create("Oslo");
    await page.open();
    page.isOffline = true;
    page.list.refresh();
    await page.untilRead();
    const { problem } = page.list.state;
    assert.ok(problem instanceof ForewordError && problem.code === "connection_lost");
    assert.deepEqual(page.titles, ["Oslo"]);
    page.isOffline = false;
    page.list.refresh();
    await page.untilRead();
    assert.equal(page.list.state.problem, undefined);
  });

  test("says after four seconds that the server is slow, until it answers", async () => {
    const page = new HistoryPage(app);
    await page.create("Oslo");
    const answer = Promise.withResolvers<void>();
    page.hold = async () => await answer.promise;
    page.list.open();
    page.clock.advance(3_999);
    assert.equal(page.list.state.problem, undefined);
    page.clock.advance(1);
    assert.equal(page.list.state.problem, "slow");
    answer.resolve();
    await page.untilRead();
    assert.deepEqual([page.list.state.problem, page.titles], [undefined, ["Oslo"]]);
  });

  test("agrees with another tab of the same user", async () => {
    const userId = randomUUID();
    const [here, there] = [new HistoryPage(app, userId), new HistoryPage(app, userId)];
    const [one, other] = [new BroadcastChannel(userId), new BroadcastChannel(userId)];
    here.changes.connect(one);
    there.changes.connect(other);
    await here.create("Oslo", "Rome");
    await here.open();
    await there.open();
    await here.actions.rename(here.named("Oslo"), "Bern");
    await until(there.list, ({ conversations }) => conversations.some(({ title }) => title === "Bern"));
    here.actions.delete(here.named("Rome"));
    await here.actions.flush();
    await until(there.list, ({ conversations }) => conversations.length === 1);
    await here.actions.deleteAll();
    await until(there.list, ({ conversations }) => conversations.length === 0);
    one.close();
    other.close();
  });

  test("does not change once it is closed", async () => {
    const page = new HistoryPage(app);
    await page.create("Oslo");
    page.list.open();
    page.list.search("oslo");
    page.list.close();
    const { state } = page.list;
    page.clock.advance(10_000);
    page.changes.announce({ type: "turn-end" });
    await page.create("Rome");
    assert.deepEqual(page.list.state.conversations, state.conversations);
    assert.equal(page.requests.filter(({ method }) => method === "GET").length, 1);
  });
});
