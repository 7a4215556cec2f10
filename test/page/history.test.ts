/** The list of conversations, used as a person uses it: by mouse, by keyboard, and in a narrow window. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { en } from "../../web/src/strings/en.ts";
import { useModel } from "../support/apps/use-app.ts";
import { assertAccessible, assertNoSidewaysScroll } from "../support/browser/accessibility.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import type { Device, Visitor } from "../support/browser/visitor.ts";
import { HistoryClient } from "../support/clients/history-client.ts";
import { assertShows, chooseAction, openMenu, rowsOf } from "./person.ts";

const words = en.history;

describe("the list of conversations", { timeout: 120_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const { app, visit } = usePage(model);
  const history = new HistoryClient(app);

  /** Opens the page of a visitor who has conversations with these titles, the newest first. */
  async function visitWith(
    titles: readonly string[],
    device?: Device,
  ): Promise<{ readonly visitor: Visitor; readonly page: Page }> {
    const visitor = await visit(device);
    for (const title of titles.toReversed()) {
      const { status, body } = await history.send("POST", "/conversations", visitor.userId, {
        id: randomUUID(),
        title,
      });
      assert.equal(status, 201, body);
    }
    return { visitor, page: await visitor.open() };
  }

  /** Resolves when the server has responded to the next request to delete. */
  async function nextDeletion(): Promise<void> {
    const { server } = app.app.http;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (request: IncomingMessage, response: ServerResponse): void => {
      if (request.method === "DELETE") response.once("finish", resolve);
    };
    server.on("request", look);
    await promise;
    server.off("request", look);
  }

  async function readTitles(visitor: Visitor, query = ""): Promise<readonly string[]> {
    return (await history.list(visitor.userId, query)).conversations.map(({ title }) => title);
  }

  test("finds conversations while their words are typed, and marks the hits", async () => {
    const { page } = await visitWith(["Trains to Oslo", "Fish soup", "Oslo in winter"]);
    await assertShows(rowsOf(page), "Trains to Oslo", "Fish soup", "Oslo in winter");
    await page.getByRole("searchbox", { name: words.search }).pressSequentially("osl");
    await assertShows(rowsOf(page), "Trains to Oslo", "Oslo in winter");
    await assertShows(page.locator("nav mark"), "Osl", "Osl");
    await page.getByRole("searchbox").fill("nothing like it");
    await page.getByRole("status").filter({ hasText: words.nothingFound }).waitFor();
    await page.keyboard.press("Escape");
    await assertShows(rowsOf(page), "Trains to Oslo", "Fish soup", "Oslo in winter");
  });

  test("shows where a search has found a conversation, and opens it at that message", async () => {
    const visitor = await visit();
    const rows = Array.from({ length: 60 }, (_, index) => ({
      role: index % 2 === 0 ? ("user" as const) : ("assistant" as const),
      content: index === 4 ? "Where does <b>the ZÉBRA</b> sleep at noon?" : `Message ${index}.\n`.repeat(4),
    }));
    model.say("- p\n---RESPONSE---\nThe end.");
    const { status } = await app.chat("", { userId: visitor.userId, messages: rows.slice(0, 59) });
    assert.equal(status, 200);
    const page = await visitor.open();
    await page.getByRole("searchbox", { name: words.search }).pressSequentially("zebra noon");
    await assertShows(page.locator(".history-excerpt"), "Where does <b>the ZÉBRA</b> sleep at noon?");
    await assertShows(page.locator(".history-excerpt mark"), "ZÉBRA", "noon");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    const found = page.locator(".message-row.found");
    await found.getByText("Where does").waitFor();
    const { height = 0, y = -1 } = (await found.boundingBox()) ?? {};
    assert.ok(y >= -1 && y + height < 700, `${y}`);
    await page.waitForURL(/#\/c\/[0-9a-f-]{36}$/);
    await assertAccessible(page);
    await found.waitFor({ state: "detached" });
    await page.locator(".history-conversation > a").click();
    await found.getByText("Where does").waitFor();
  });

  test("moves by quick keys as far as by slow ones", async () => {
    const titles = Array.from({ length: 20 }, (_, index) => `Chat ${index}`);
    const { page } = await visitWith(titles);
    await rowsOf(page).first().focus();
    await page.evaluate(`for (const key of ["ArrowDown", "ArrowDown", "PageDown", "ArrowUp"])
      document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }))`);
    await focused(page, "Chat 11");
    await page.evaluate(`for (const key of ["End", "ArrowUp", "ArrowUp"])
      document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }))`);
    await focused(page, "Chat 17");
  });

  test("renames, and keeps the old title if the new one is given up", async () => {
    const { visitor, page } = await visitWith(["Old title"]);
    await chooseAction(page, "Old title", words.rename);
    await page.getByRole("textbox", { name: words.newTitle }).fill("Given up");
    await page.keyboard.press("Escape");
    await assertShows(rowsOf(page), "Old title");
    await chooseAction(page, "Old title", words.rename);
    await page.getByRole("textbox", { name: words.newTitle }).fill("New <b>title</b>");
    const saved = page.waitForResponse((response) => response.request().method() === "PATCH");
    await page.keyboard.press("Enter");
    await saved;
    await assertShows(rowsOf(page), "New <b>title</b>");
    assert.deepEqual(await readTitles(visitor), ["New <b>title</b>"]);
  });

  test("deletes after 8 seconds, in which it can be undone", async () => {
    const { visitor, page } = await visitWith(["To keep", "To delete"]);
    await page.clock.install();
    const sent: string[] = [];
    page.on("request", (request) => request.method() === "DELETE" && sent.push(request.url()));
    await chooseAction(page, "To keep", words.delete);
    await assertShows(rowsOf(page), "To delete");
    await page.clock.runFor(7_000);
    await page.getByRole("button", { name: words.undo }).click();
    await assertShows(rowsOf(page), "To keep", "To delete");
    await page.clock.runFor(60_000);
    assert.deepEqual(sent, []);
    await chooseAction(page, "To delete", words.delete);
    await assertShows(rowsOf(page), "To keep");
    assert.deepEqual(await readTitles(visitor), ["To keep", "To delete"]);
    const deleted = page.waitForResponse((response) => response.request().method() === "DELETE");
    await page.clock.runFor(8_000);
    assert.equal((await deleted).status(), 204);
    assert.deepEqual(await readTitles(visitor), ["To keep"]);
    await page.getByRole("button", { name: words.undo }).waitFor({ state: "detached" });
  });

  test("deletes what was to be deleted when the tab is closed before", async () => {
    const { visitor, page } = await visitWith(["To keep", "To delete"]);
    await chooseAction(page, "To delete", words.delete);
    await assertShows(rowsOf(page), "To keep");
    const deleted = nextDeletion();
    await page.close({ runBeforeUnload: true });
    await deleted;
    const later = await visitor.open();
    await assertShows(rowsOf(later), "To keep");
  });

  test("saves a conversation as a file, and deletes all after a question that names their number", async () => {
    const { visitor, page } = await visitWith(["A / title", "Other"]);
    await page.clock.install();
    await openMenu(page, "A / title");
    const saved = page.waitForEvent("download");
    await page.getByRole("menuitem", { name: en.chat.exportMarkdown }).click();
    assert.equal((await saved).suggestedFilename(), "A title.md");
    await page.getByText(en.settings.title, { exact: true }).click();
    await page.getByRole("button", { name: words.deleteAll }).click();
    const question = page.getByRole("dialog", { name: words.deleteAllQuestion("2") });
    await question.waitFor();
    await assertAccessible(page);
    await question.getByRole("button", { name: words.cancel }).click();
    await assertShows(rowsOf(page), "A / title", "Other");
    await page.getByRole("button", { name: words.deleteAll }).click();
    await question.getByRole("button", { name: words.delete, exact: true }).click();
    await assertShows(rowsOf(page));
    assert.equal((await readTitles(visitor)).length, 2);
    const deleted = page.waitForResponse((response) => response.request().method() === "DELETE");
    await page.clock.runFor(8_000);
    assert.equal((await deleted).status(), 200);
    assert.deepEqual(await readTitles(visitor), []);
  });

  test("archives, shows the archive, and brings back", async () => {
    const { visitor, page } = await visitWith(["Current", "Done"]);
    await chooseAction(page, "Done", words.archive);
    await assertShows(rowsOf(page), "Current");
    await page.getByRole("button", { name: words.archived, exact: true }).click();
    await assertShows(rowsOf(page), "Done");
    await chooseAction(page, "Done", words.unarchive);
    await page.getByRole("status").filter({ hasText: words.noArchived }).waitFor();
    await page.getByRole("button", { name: words.archived, exact: true }).click();
    await assertShows(rowsOf(page), "Current", "Done");
    assert.deepEqual(await readTitles(visitor), ["Current", "Done"]);
  });

  test("moves, opens, renames and deletes by the keyboard alone", async () => {
    const { page } = await visitWith(["First", "Second", "Third"]);
    await assertShows(rowsOf(page), "First", "Second", "Third");
    await page.getByRole("searchbox", { name: words.search }).focus();
    await page.keyboard.press("ArrowDown");
    await focused(page, "First");
    await page.keyboard.press("ArrowDown");
    await focused(page, "Second");
    await page.keyboard.press("Enter");
    await page.locator("nav a[aria-current=page]", { hasText: "Second" }).waitFor();
    await focused(page, "Second");
    await page.keyboard.press("F2");
    await page.getByRole("textbox", { name: words.newTitle }).waitFor();
    await page.keyboard.type("Renamed");
    await page.keyboard.press("Enter");
    await assertShows(rowsOf(page), "First", "Renamed", "Third");
    await focused(page, "Renamed");
    await page.keyboard.press("End");
    await focused(page, "Third");
    await page.keyboard.press("Delete");
    await assertShows(rowsOf(page), "First", "Renamed");
    await focused(page, "Renamed");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("menuitem", { name: words.rename }).and(page.locator(":focus")).waitFor();
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await assertShows(rowsOf(page), "First");
  });

  test("tells the other tab of each change", async () => {
    const { visitor, page } = await visitWith(["One", "Two"]);
    const other = await visitor.open();
    await assertShows(rowsOf(other), "One", "Two");
    await chooseAction(page, "Two", words.archive);
    await assertShows(rowsOf(other), "One");
    await chooseAction(other, "One", words.rename);
    await other.keyboard.type("Uno");
    await other.keyboard.press("Enter");
    await assertShows(rowsOf(page), "Uno");
  });

  test("opens over the chat in a window of 320 px, which never scrolls sideways", async () => {
    const long = "AVeryLongWordWithoutAnyPlaceToBreakIt".repeat(4);
    const { page } = await visitWith([long, "Short"], { size: { width: 320, height: 640 } });
    await page.getByRole("button", { name: words.open }).click();
    await assertShows(rowsOf(page), long, "Short");
    await assertNoSidewaysScroll(page);
    await assertAccessible(page);
    await page.getByRole("link", { name: "Short" }).click();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert.match(page.url(), /#\/c\//);
    await assertNoSidewaysScroll(page);
  });

  for (const colorScheme of ["light", "dark"] as const)
    test(`has nothing for axe to find in the list, its menu and its notices, ${colorScheme}`, async () => {
      const { page } = await visitWith(["One", "Two", "Three"], { colorScheme });
      await rowsOf(page).getByText("Two").click();
      await chooseAction(page, "Three", words.archive);
      await page.getByRole("button", { name: words.undo }).waitFor();
      await openMenu(page, "One");
      await assertAccessible(page);
    });
});

/** Waits until a row has the focus. */
async function focused(page: Page, title: string): Promise<void> {
  await page.locator("nav a:focus", { hasText: title }).waitFor();
}
