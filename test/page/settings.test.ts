/** The settings of the page: colours and language, kept in the browser. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { de } from "../../web/src/strings/de.ts";
import { en } from "../../web/src/strings/en.ts";
import { useModel } from "../support/apps/use-app.ts";
import { assertAccessible } from "../support/browser/accessibility.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import { ask, assertChat, messageField, untilOver } from "./person.ts";

const words = en.settings;
const light = "rgb(251, 251, 249)";
const dark = "rgb(22, 24, 26)";

describe("the settings of the page", { timeout: 120_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const { visit } = usePage(model);

  test("change the colours in all tabs, and before the first paint after a reload", async () => {
    const visitor = await visit();
    const page = await visitor.open();
    const other = await visitor.open();
    await page.getByText(words.title, { exact: true }).click();
    assert.equal(await readBackground(page), light);
    await page.getByLabel(words.theme).selectOption(words.themes.dark);
    for (const tab of [page, other]) await tab.locator("html[data-theme=dark]").waitFor();
    for (const tab of [page, other]) assert.equal(await readBackground(tab), dark);
    await assertAccessible(page);
    visitor.expectProblems(/ERR_FAILED/);
    await other.route(/\/assets\/index-[^/]*\.js$/, (route) => route.abort());
    await other.reload();
    assert.equal(await readBackground(other), dark, "before the page's script runs");
    await page.getByLabel(words.theme).selectOption(words.themes.system);
    await page.emulateMedia({ colorScheme: "dark" });
    assert.equal(await readBackground(page), dark);
    await page.emulateMedia({ colorScheme: "light" });
    assert.equal(await readBackground(page), light);
  });

  test("change the language in all tabs, without losing a draft or a reply", async () => {
    const visitor = await visit();
    const page = await visitor.open();
    model.say("- Greet\n---RESPONSE---\nHello:\n\n```sh\nls\n```");
    await ask(page, "Hi");
    await untilOver(page);
    await messageField(page).fill("A draft");
    const other = await visitor.open(`/${new URL(page.url()).hash}`);
    await assertChat(other, "> Hi", "[Greet] Hello:shCopyls");
    await page.getByText(words.title, { exact: true }).click();
    await page.getByLabel(words.language).selectOption("Deutsch");
    for (const tab of [page, other]) {
      await tab.getByRole("button", { name: de.history.newChat }).waitFor();
      await assertChat(tab, "> Hi", "[Greet] Hello:shKopierenls");
      assert.equal(await tab.locator("html").getAttribute("lang"), "de");
    }
    const field = page.getByRole("textbox", { name: de.chat.placeholder });
    assert.equal(await field.inputValue(), "A draft");
    await page.reload();
    await page.getByRole("button", { name: de.history.newChat }).waitFor();
    await page.getByText(de.settings.title, { exact: true }).click();
    await page.getByLabel(de.settings.language).selectOption("English");
    await page.getByRole("button", { name: en.history.newChat }).waitFor();
  });

  test("lead to the API docs, which lead back", async () => {
    const visitor = await visit({ colorScheme: "dark" });
    const page = await visitor.open();
    await page.getByText(words.title, { exact: true }).click();
    await page.getByRole("link", { name: words.docs }).click();
    await page.getByRole("link", { name: "Open the chat page" }).waitFor();
    assert.equal(await readBackground(page, "body"), dark);
    await page.getByRole("link", { name: "Open the chat page" }).click();
    await messageField(page).waitFor();
  });
});

async function readBackground(page: Page, element = "html"): Promise<unknown> {
  return await page.evaluate(`getComputedStyle(document.querySelector("${element}")).backgroundColor`);
}
