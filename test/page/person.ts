/** The page as a person uses it: parts are found by role, label and text, and waited for. */
import assert from "node:assert/strict";
import type { Locator, Page } from "playwright-core";
import { z } from "zod";
import { en } from "../../web/src/strings/en.ts";

/** How long the page may take to show something. */
const patienceMs = 8_000;

/** The field in which the next question is written. */
export function messageField(page: Page): Locator {
  return page.getByRole("textbox", { name: en.chat.placeholder });
}

/** Sends a question by the Enter key. */
export async function ask(page: Page, question: string): Promise<void> {
  await messageField(page).fill(question);
  await messageField(page).press("Enter");
}

/** A button of the chat. */
export function button(page: Page | Locator, name: string): Locator {
  return page.getByRole("button", { name, exact: true });
}

/** Waits until no reply is in progress. */
export async function untilOver(page: Page): Promise<void> {
  await button(page, en.chat.send).waitFor();
}

/** Returns the messages, as {@link assertChat} expects them. */
const readChat = `Array.from(document.querySelectorAll("main article"), (article) => {
  const text = (element) => element?.textContent.replaceAll(/\\s+/g, " ").trim();
  if (article.matches(".question")) return "> " + text(article.querySelector(".question-text"));
  const plan = article.querySelector("details.plan");
  const answer = Array.from(article.querySelectorAll(":scope > .markdown"), text).join(" ");
  return (plan === null ? answer : (plan.open ? "[open: " : "[") + text(plan.querySelector(".markdown")) + "] " + answer).trim();
})`;

/**
 * Asserts that the chat comes to show exactly these messages: a question as `> text`, a reply as `[plan]
 * answer`, with `open: ` before a plan that is not folded.
 */
export async function assertChat(page: Page, ...messages: readonly string[]): Promise<void> {
  await untilEqual(page, async () => z.array(z.string()).parse(await page.evaluate(readChat)), messages);
}

/** Asserts that `items` come to have exactly these texts. */
export async function assertShows(items: Locator, ...texts: readonly string[]): Promise<void> {
  await untilEqual(items.page(), async () => await items.allInnerTexts(), texts);
}

/**
 * Returns the names of the files that the browser keeps. A database that the page has not made yet is not
 * made.
 */
const readKeptFiles = `(async () => {
  const names = (await indexedDB.databases()).map(({ name }) => name);
  if (!names.includes("foreword")) return [];
  const done = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const database = await done(indexedDB.open("foreword"));
  const files = await done(database.transaction("files").objectStore("files").getAll());
  database.close();
  return files.map(({ name }) => name).sort();
})()`;

/** Asserts that the browser comes to keep exactly these files for a later page, ordered by name. */
export async function assertKept(page: Page, ...names: readonly string[]): Promise<void> {
  await untilEqual(page, async () => z.array(z.string()).parse(await page.evaluate(readKeptFiles)), names);
}

/** Asserts that `read` comes to return `expected`; it is asked once for each picture that the page draws. */
async function untilEqual(
  page: Page,
  read: () => Promise<readonly string[]>,
  expected: readonly string[],
): Promise<void> {
  const endMs = performance.now() + patienceMs;
  let actual = await read();
  while (JSON.stringify(actual) !== JSON.stringify(expected) && performance.now() < endMs) {
    // `waitForFunction` is of no use here: the page's policy forbids what it evaluates.
    await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => resolve(true)))");
    actual = await read();
  }
  assert.deepEqual(actual, expected);
}

/** The rows of the list of conversations. */
export function rowsOf(page: Page): Locator {
  return page.locator(".history-conversation > a");
}

/** Opens the menu of a conversation. */
export async function openMenu(page: Page, title: string): Promise<void> {
  await page.getByRole("link", { name: title, exact: true }).hover();
  await page.getByRole("button", { name: en.history.actions(title) }).click();
}

/** Chooses an action from the menu of a conversation. */
export async function chooseAction(page: Page, title: string, action: string): Promise<void> {
  await openMenu(page, title);
  await page.getByRole("menuitem", { name: action, exact: true }).click();
}
