/** The page's actions on conversations: shown at once, then done by the real server, or undone. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { useApp, useModel } from "../support/apps/use-app.ts";
import { HistoryPage, until } from "./history-page.ts";

describe("ConversationActions", { timeout: 120_000 }, () => {
  const app = useApp(useModel(), { CHAT_STORE_ENABLED: "true" });

  async function open(...titles: string[]): Promise<HistoryPage> {
    const page = new HistoryPage(app);
    await page.create(...titles);
    return await page.open();
  }
  /** The titles that the server has, those of the archive included. */
  async function stored({ conversations }: HistoryPage): Promise<string[]> {
    const pages = [await conversations.list(), await conversations.list({ archived: true })];
    return pages.flatMap((page) => page.conversations.map(({ title }) => title)).toSorted();
  }
  const types = ({ actions }: HistoryPage): string[] => actions.state.map(({ type }) => type);

  test("deletes from the list at once, and from the server after eight seconds", async () => {
    const page = await open("Oslo", "Rome");
    page.actions.delete(page.named("Oslo"));
    assert.deepEqual([page.titles, types(page)], [["Rome"], ["deleted"]]);
    page.clock.advance(7_999);
    assert.deepEqual(await stored(page), ["Oslo", "Rome"]);
    page.list.refresh();
    await page.untilRead();
    assert.deepEqual(page.titles, ["Rome"], "a refresh does not bring it back");
    const gone = Promise.withResolvers<void>();
    page.changes.subscribe(({ type }) => type === "delete" && gone.resolve());
    page.clock.advance(1);
    await gone.promise;
    assert.deepEqual([await stored(page), types(page)], [["Rome"], []]);
  });

  test("undoes a deletion without a request", async () => {
    const page = await open("Oslo", "Rome");
    page.actions.delete(page.named("Oslo"));
    const [notice] = page.actions.state;
    assert.ok(notice !== undefined);
    await page.actions.undo(notice);
    await page.actions.undo(notice);
    page.clock.advance(60_000);
    assert.deepEqual([page.titles, types(page)], [["Rome", "Oslo"], []]);
    assert.ok(!page.requests.some(({ method }) => method === "DELETE"));
  });

  test("sends all deletions when the page is hidden, each once", async () => {
    const page = await open("Oslo", "Rome", "Bern");
    for (const title of ["Oslo", "Rome"]) page.actions.delete(page.named(title));
    await Promise.all([page.actions.flush(), page.actions.flush()]);
    page.clock.advance(60_000);
    assert.deepEqual(await stored(page), ["Bern"]);
    assert.equal(page.requests.filter(({ method }) => method === "DELETE").length, 2);
  });

  test("brings a conversation back whose deletion failed, and says so", async () => {
    const page = await open("Oslo");
    page.actions.delete(page.named("Oslo"));
    page.isOffline = true;
    await page.actions.flush();
    assert.deepEqual([page.titles, types(page)], [["Oslo"], ["failed"]]);
    page.actions.dismiss(page.actions.state[0]?.key ?? "");
    page.isOffline = false;
    page.actions.delete(page.named("Oslo"));
    await page.actions.flush();
    assert.deepEqual([page.titles, types(page)], [[], []]);
  });

  test("deletes without complaint what another tab has deleted", async () => {
    const page = await open("Oslo");
    page.actions.delete(page.named("Oslo"));
    const { conversations } = await page.conversations.list();
    for (const { id } of conversations) await page.conversations.delete(id);
    await page.actions.flush();
    assert.deepEqual([page.titles, types(page)], [[], []]);
  });

  test("renames at once, and the last of two quick names stays", async () => {
    const page = await open("Oslo");
    const oslo = page.named("Oslo");
    const renames = [page.actions.rename(oslo, " Rome \n in  May"), page.actions.rename(oslo, "Bern")];
    assert.deepEqual(page.titles, ["Bern"]);
    await Promise.all(renames);
    await page.untilRead();
    assert.deepEqual([page.titles, await stored(page)], [["Bern"], ["Bern"]]);
  });

  test("changes no title that is empty or the same, and cuts one that is too long between characters", async () => {
    const page = await open("Oslo");
    for (const title of ["", " \n\t ", "Oslo", "  Oslo  "])
      await page.actions.rename(page.named("Oslo"), title);
    assert.ok(!page.requests.some(({ method }) => method === "PATCH"));
    await page.actions.rename(page.named("Oslo"), `x${"😀".repeat(400)}`);
    await page.untilRead();
    assert.deepEqual([page.titles, types(page)], [[`x${"😀".repeat(249)}`], []]);
  });

  test("shows the old title again if a rename fails", async () => {
    const page = await open("Oslo");
    page.isOffline = true;
    await page.actions.rename(page.named("Oslo"), "Rome");
    assert.deepEqual([page.titles, types(page)], [["Oslo"], ["failed"]]);
  });

  test("archives, brings back from the archive, and undoes both", async () => {
    const page = await open("Oslo", "Rome");
    await page.actions.archive(page.named("Oslo"), true);
    await page.untilRead();
    assert.deepEqual([page.titles, types(page)], [["Rome"], ["archived"]]);
    const [archived] = page.actions.state;
    assert.ok(archived !== undefined);
    await page.actions.undo(archived);
    await page.untilRead();
    assert.deepEqual(page.titles.toSorted(), ["Oslo", "Rome"]);
    assert.deepEqual(types(page), ["unarchived"]);
    page.clock.advance(8_000);
    assert.deepEqual(types(page), []);
    page.isOffline = true;
    await page.actions.archive(page.named("Rome"), true);
    assert.deepEqual([page.titles.toSorted(), types(page)], [["Oslo", "Rome"], ["failed"]]);
  });

  test("deletes all conversations, archived ones and those about to be deleted included", async () => {
    const page = await open("Oslo", "Rome", "Bern");
    await page.actions.archive(page.named("Oslo"), true);
    page.actions.delete(page.named("Rome"));
    assert.equal(await page.actions.deleteAll(), true);
    page.clock.advance(60_000);
    await page.create("New");
    page.list.refresh();
    await until(page.list, ({ conversations }) => conversations.length === 1);
    assert.deepEqual([await stored(page), types(page)], [["New"], []]);
  });

  test("deletes all conversations after eight seconds, unless that is undone or a message is sent", async () => {
    const page = await open("Oslo", "Rome");
    await page.actions.archive(page.named("Oslo"), true);
    page.clock.advance(8_000);
    assert.equal(await page.actions.countAll(), 2);
    page.actions.deleteAllSoon(2);
    page.actions.deleteAllSoon(2);
    assert.deepEqual([page.titles, types(page)], [[], ["all-deleted"]]);
    const [notice] = page.actions.state;
    assert.ok(notice !== undefined);
    await page.actions.undo(notice);
    page.clock.advance(60_000);
    assert.deepEqual([page.titles, types(page)], [["Rome"], []]);
    page.actions.deleteAllSoon(2);
    const [id = ""] = await page.create("New");
    page.changes.announce({ type: "turn-start", conversationId: id });
    await page.untilRead();
    assert.deepEqual([page.titles, types(page)], [["New", "Rome"], ["all-kept"]]);
    page.clock.advance(60_000);
    assert.deepEqual([await stored(page), types(page)], [["New", "Oslo", "Rome"], []]);
    page.actions.deleteAllSoon(3);
    await page.actions.flush();
    assert.deepEqual([await stored(page), page.titles, types(page)], [[], [], []]);
  });

  test("saves a conversation as Markdown and as JSON, and says if that fails", async () => {
    const page = await open("Oslo");
    assert.match((await page.actions.export(page.named("Oslo"), "markdown")) ?? "", /^# Oslo\n/);
    assert.match((await page.actions.export(page.named("Oslo"), "json")) ?? "", /"title": "Oslo"/);
    page.isOffline = true;
    assert.equal(await page.actions.export(page.named("Oslo"), "json"), undefined);
    assert.equal(await page.actions.countAll(), undefined);
    assert.deepEqual(types(page), ["failed", "failed"]);
  });

  test("keeps all conversations, and says so, if deleting them fails", async () => {
    const page = await open("Oslo");
    page.isOffline = true;
    assert.equal(await page.actions.deleteAll(), false);
    assert.deepEqual([page.titles, types(page)], [["Oslo"], ["failed"]]);
  });

  test("never touches another user's conversations", async () => {
    const other = new HistoryPage(app, randomUUID());
    await other.create("Theirs");
    const page = await open("Oslo");
    await page.actions.deleteAll();
    assert.deepEqual(await stored(other), ["Theirs"]);
  });
});
