/** The choice of a model in the page, the price of its replies, and a browser that refuses to copy them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { en } from "../../web/src/strings/en.ts";
import { useTwoModels } from "../support/apps/use-two-models.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import { ask, assertChat, button, messageField, untilOver } from "./person.ts";

const words = en.chat;
const usage = { prompt_tokens: 1_200, completion_tokens: 300 };

describe("the page of a server with several models", { timeout: 120_000, skip: withoutBrowser }, () => {
  const models = useTwoModels({
    fast: { price: { input: 0, output: 0 } },
    slow: { price: { input: 100, output: 1_000 } },
  });
  const { visit } = usePage(models.fast, () => models.variables);

  /** Asks the first model, and waits for its reply. */
  async function askFast(page: Page): Promise<void> {
    models.fast.say("- Think\n---RESPONSE---\nI am fast.");
    await ask(page, "Who?");
    await assertChat(page, "> Who?", "[Think] I am fast.");
    await untilOver(page);
  }

  test("asks the chosen model, also after a reload, and shows its tokens and the day's cost", async () => {
    const page = await (await visit()).open();
    const picker = page.getByLabel(words.model);
    await picker.waitFor();
    assert.equal(await picker.inputValue(), "fast");
    await askFast(page);
    await picker.selectOption("slow");
    await page.reload();
    assert.equal(await picker.inputValue(), "slow");
    models.slow.script = (call) =>
      call.text("- Think\n---RESPONSE---\nI am slow.").event({ choices: [], usage }).finish();
    await button(page, words.regenerate).click();
    await assertChat(page, "> Who?", "[Think] I am slow.");
    await untilOver(page);
    for (const isReloaded of [false, true]) {
      if (isReloaded) await page.reload();
      const details = page.locator("article.reply details.reply-details");
      await details.getByText(words.details).click();
      await details.getByText(words.costToday("0.42")).waitFor();
      const [name, tokens] = (await details.locator("span").innerText()).split(" · ");
      assert.deepEqual([name, tokens], ["slow", words.tokens("1,200", "300")]);
    }
  });

  test("asks the first model if the chosen one is gone", async () => {
    const visitor = await visit();
    const page = await visitor.open();
    const picker = page.getByLabel(words.model);
    await picker.selectOption("slow");
    await page.evaluate(`for (const [key, value] of Object.entries(localStorage))
      if (value === "slow") localStorage.setItem(key, "gone")`);
    await page.reload();
    await picker.waitFor();
    assert.equal(await picker.inputValue(), "fast");
    await askFast(page);
    assert.equal(await page.evaluate(`JSON.stringify(localStorage).includes("gone")`), false);
  });

  test("says of a reply and of its code that they were not copied, if the browser refuses that", async () => {
    const visitor = await visit();
    await visitor.context.addInitScript(`Object.defineProperty(navigator, "clipboard", {
      value: { writeText: () => Promise.reject(new DOMException("refused", "NotAllowedError")) } })`);
    const page = await visitor.open();
    await messageField(page).waitFor();
    models.fast.say("- Think\n---RESPONSE---\n```\ncode\n```\n");
    await ask(page, "Code");
    await untilOver(page);
    for (const label of [words.copy, en.markdown.copyCode]) {
      const reply = page.locator("article.reply .copy", { has: page.getByLabel(label, { exact: true }) });
      await button(reply, label).click();
      await reply.getByRole("status").filter({ hasText: en.markdown.copyFailed }).waitFor();
    }
    assert.deepEqual(visitor.problems, []);
  });
});
