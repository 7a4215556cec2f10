/** Questions in the page: files, approvals, refusals and edits, and where the focus is. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { en } from "../../web/src/strings/en.ts";
import { useTools } from "../flow/tools/use-tools.ts";
import { useModel } from "../support/apps/use-app.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import { toImage } from "./image-files.ts";
import { ask, assertChat, assertKept, assertShows, button, messageField, untilOver } from "./person.ts";

const words = en.chat;

/** Asserts that the next key would be typed into the field for the next question. */
async function assertInField(page: Page): Promise<void> {
  await page.locator(".composer textarea:focus").waitFor();
}

describe("a question in the page", { timeout: 240_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const tools = useTools("suite");
  const { visit } = usePage(model, () => tools.variables);

  test("that the server refuses is in the field again, with its files and the reason", async () => {
    const visitor = await visit();
    visitor.expectProblems(/413/);
    const page = await visitor.open();
    await page.route("**/stream-chat*", async (route) => {
      await route.fulfill({
        status: 413,
        contentType: "application/problem+json",
        body: `{"code":"storage_full"}`,
      });
    });
    await page.locator("input[type=file]").setInputFiles(toImage("cat.png"));
    await ask(page, "Which?");
    await page.getByText(words.errors.storageFull).waitFor();
    assert.equal(await messageField(page).inputValue(), "Which?");
    await assertShows(page.locator(".added-files bdi"), "cat.png");
    assert.match(page.url(), /#\/$/);
    await page.unroute("**/stream-chat*");
    model.say("- Look\n---RESPONSE---\nA cat.");
    await button(page, words.send).click();
    await assertChat(page, "> Which?", "[Look] A cat.");
  });

  test("without a network goes out when that is back, even if its page was closed", async () => {
    const visitor = await visit();
    // It asks first whether the question has arrived, which is a 404.
    visitor.expectProblems(/ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED|404/);
    const page = await visitor.open();
    await messageField(page).waitFor();
    await visitor.context.setOffline(true);
    await page.locator("input[type=file]").setInputFiles(toImage("cat.png"));
    await ask(page, "Which?");
    await assertChat(page, "> Which?", "");
    await assertKept(page, "cat.png");
    await page.close();
    await visitor.context.setOffline(false);
    model.say("- Look\n---RESPONSE---\nA cat.");
    const later = await visitor.open();
    await later.getByRole("link", { name: "Which?" }).click();
    await assertChat(later, "> Which?", "[Look] A cat.");
    await later.getByRole("img", { name: "cat.png" }).waitFor();
  });

  test("leaves the focus in the field when it is sent by its button, stopped, or edited", async () => {
    const page = await (await visit()).open();
    await messageField(page).fill("Count");
    let next = model.nextCall();
    await button(page, words.send).click();
    (await next).text("- Count\n---RESPONSE---\none");
    await assertInField(page);
    await button(page, words.stop).click();
    await untilOver(page);
    await assertInField(page);
    const question = page.locator("article.question");
    await button(question, words.edit).click();
    await page.keyboard.press("Escape");
    await page.locator("article.question button:focus").waitFor();
    await button(question, words.edit).click();
    await page.getByRole("textbox", { name: words.edit }).fill("Count on");
    await page.reload();
    assert.equal(await page.getByRole("textbox", { name: words.edit }).inputValue(), "Count on");
    next = model.nextCall();
    await button(question, words.save).click();
    (await next).text("- Count\n---RESPONSE---\ntwo.").finish();
    await assertChat(page, "> Count on", "[Count] two.");
    await assertInField(page);
  });

  test("is not sent by the Enter key that ends the composition of a character", async () => {
    const page = await (await visit()).open();
    const calls = model.calls.length;
    await messageField(page).fill("に");
    await messageField(page).dispatchEvent("keydown", { key: "Enter", isComposing: true });
    await messageField(page).dispatchEvent("keydown", { key: "Enter", keyCode: 229 });
    assert.equal(await messageField(page).inputValue(), "に");
    assert.equal(model.calls.length, calls);
  });

  test("is asked for approval, which is given after a reload", async () => {
    const page = await (await visit()).open();
    model.inOrder(
      (call) => call.text("- Act\n---RESPONSE---\nSo.").toolCall("w__act").finish("tool_calls"),
      (call) => call.text("Done.").finish(),
    );
    await ask(page, "Act");
    await button(page, words.approve).waitFor();
    await page.reload();
    await button(page, words.approve).click();
    await page.locator("details.tool", { hasText: `act (w): ${words.toolStates.complete}` }).waitFor();
    await assertChat(page, "> Act", "[Act] So. Done.");
  });

  test("does not take the focus from the list of conversations, and is shown at its end", async () => {
    const page = await (await visit()).open();
    model.say("- Count\n---RESPONSE---\n", "line\n\n".repeat(100));
    await ask(page, "Count");
    await untilOver(page);
    await button(page, en.history.newChat).click();
    await assertInField(page);
    const link = page.getByRole("link", { name: "Count" });
    await link.focus();
    await page.keyboard.press("Enter");
    await page.locator("article.reply").waitFor();
    await page.keyboard.press("F2");
    await page.getByRole("textbox", { name: en.history.newTitle }).waitFor();
    await page.keyboard.press("Escape");
    await button(page, words.toEnd).waitFor({ state: "detached" });
  });
});
