/**
 * Ten thousand conversations in the page: scrolled to the end, archived, and searched by whatever people
 * type.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { systemClock } from "../../src/base/clock.ts";
import { en } from "../../web/src/strings/en.ts";
import { useDatabase, useModel } from "../support/apps/use-app.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import type { Visitor } from "../support/browser/visitor.ts";
import { startPglite, type StoreHarness } from "../support/databases/store-harness.ts";
import { assertShows } from "./person.ts";

const words = en.history;
const userId = randomUUID();
const count = 10_000;

/** A database with so many conversations: the first is the newest, and every tenth is archived. */
async function startFull(): Promise<StoreHarness> {
  const harness = await startPglite();
  await (await harness.open(systemClock)).close(); // which applies the schema
  await harness.sql(
    `insert into conversations (id, user_id, title, updated_at, archived_at)
      select gen_random_uuid(), '${userId}', 'Chat ' || i, timestamptz '2026-01-01' - i * interval '1 hour',
        case when i % 10 = 0 then now() end
      from generate_series(1, ${count}) i`,
  );
  return harness;
}

describe("ten thousand conversations", { timeout: 120_000, skip: withoutBrowser }, () => {
  const { app, visit } = usePage(useModel(), {}, { database: useDatabase(startFull) });

  async function open(): Promise<{ readonly visitor: Visitor; readonly page: Page }> {
    const item = { name: "foreword.user", value: userId };
    const storageState = { cookies: [], origins: [{ origin: app.url, localStorage: [item] }] };
    const visitor = await visit({ options: { storageState } });
    return { visitor, page: await visitor.open() };
  }
  const titlesOf = async (page: Page): Promise<string[]> =>
    await page.locator(".history-conversation .history-title").allInnerTexts();

  test("are read page by page while the list is scrolled, in order, and few of them are rendered", async () => {
    const { page } = await open();
    await page.getByText("Chat 1", { exact: true }).waitFor();
    const seen = new Set<string>();
    let most = 0;
    for (let last = ""; last !== "Chat 9999";) {
      const titles = await titlesOf(page);
      most = Math.max(most, titles.length);
      const numbers = titles.map((title) => Number(title.slice(5)));
      assert.deepEqual(
        numbers,
        Array.from(new Set(numbers)).toSorted((a, b) => a - b),
      );
      for (const title of titles) seen.add(title);
      last = titles.at(-1) ?? "";
      await page.evaluate(`new Promise((resolve) => {
        document.querySelector(".history-scroller").scrollBy(0, 4_000);
        requestAnimationFrame(() => requestAnimationFrame(() => resolve(true)));
      })`);
    }
    assert.ok(most < 60, `${most} rows are rendered`);
    assert.ok(seen.size > 1_000);
    await page.getByRole("button", { name: words.archived, exact: true }).click();
    await page.getByText("Chat 10", { exact: true }).waitFor();
  });

  test("are searched while words are typed, whatever they are, and whether or not the server answers", async () => {
    const { visitor, page } = await open();
    const field = page.getByRole("searchbox", { name: words.search });
    const status = page.getByRole("status").filter({ hasText: words.nothingFound });
    await field.pressSequentially("chat 777", { delay: 20 });
    await assertShows(page.locator(".history-title").first(), "Chat 777");
    for (const query of ["שלום עולם", "東京都", "👩🏽\u200d🚀", "a\0b", "x".repeat(1_000)]) {
      await field.fill(query);
      await status.waitFor();
      await field.fill("chat 4321");
      await assertShows(page.locator(".history-title"), "Chat 4321");
    }
    visitor.expectProblems(/Failed to load resource/);
    await page.route(/query=/, async (route) => await route.fulfill({ status: 400 }));
    await field.fill("chat 12");
    await page.getByRole("alert").getByText(words.problems.other).waitFor();
    await page.unroute(/query=/);
    await page.getByRole("button", { name: words.tryAgain }).click();
    await assertShows(page.locator(".history-title").first(), "Chat 12");
  });
});
