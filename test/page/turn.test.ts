/** Replies in the page, as a person sees them: plan first, answer after, and nothing lost. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { en } from "../../web/src/strings/en.ts";
import { useModel } from "../support/apps/use-app.ts";
import type { ScriptedCall } from "../support/model/scripted-model.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import { ask, assertChat, button, messageField, untilOver } from "./person.ts";

const words = en.chat;

describe("a reply in the page", { timeout: 240_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const { visit } = usePage(model);

  test("shows its plan while it is written, which folds when the answer begins, and opens again", async () => {
    const page = await (await visit()).open();
    const next = model.nextCall();
    await ask(page, "Hi");
    const call = await next;
    await page.getByText(words.thinking).waitFor();
    call.text("- Greet\n");
    await page.getByText(words.planning).waitFor();
    await assertChat(page, "> Hi", "[open: Greet]");
    call.text("---RESPONSE---\nHel");
    await assertChat(page, "> Hi", "[Greet] Hel");
    call.text("lo, **you**.").finish();
    await assertChat(page, "> Hi", "[Greet] Hello, you.");
    await untilOver(page);
    assert.equal(await page.locator("article strong").innerText(), "you");
    await page.getByText(words.plan, { exact: true }).click();
    await assertChat(page, "> Hi", "[open: Greet] Hello, you.");
    assert.match(page.url(), /#\/c\/[0-9a-f-]{36}$/);
  });

  test("goes on where it was after a reload, which loses and repeats nothing", async () => {
    const page = await (await visit()).open();
    const next = model.nextCall();
    await ask(page, "Count");
    const call = await next;
    call.text("- Count\n---RESPONSE---\none two");
    await assertChat(page, "> Count", "[Count] one two");
    const calls = model.calls.length;
    for (const [more, shown] of [
      [" three", "[Count] one two three"],
      [" four", "[Count] one two three four"],
    ] as const) {
      await page.reload();
      call.text(more);
      await assertChat(page, "> Count", shown);
    }
    call.text(" five.").finish();
    await assertChat(page, "> Count", "[Count] one two three four five.");
    await untilOver(page);
    await page.reload();
    await assertChat(page, "> Count", "[Count] one two three four five.");
    assert.equal(model.calls.length, calls);
  });

  /** Asks for a count; resolves with the call of the model, which has got to one. */
  async function startCounting(page: Page): Promise<ScriptedCall> {
    const next = model.nextCall();
    await ask(page, "Count");
    const call = await next;
    call.text("- Count\n---RESPONSE---\none");
    await assertChat(page, "> Count", "[Count] one");
    return call;
  }

  test("goes on in a new tab after its tab was closed", async () => {
    const visitor = await visit();
    const page = await visitor.open();
    const call = await startCounting(page);
    const { hash } = new URL(page.url());
    await page.close();
    call.text(" two");
    const later = await visitor.open(`/${hash}`);
    await assertChat(later, "> Count", "[Count] one two");
    call.text(" three.").finish();
    await assertChat(later, "> Count", "[Count] one two three.");
  });

  test("goes on after the network was away, which is said, and said no more", async () => {
    const visitor = await visit();
    visitor.expectProblems(/ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED/);
    const page = await visitor.open();
    const call = await startCounting(page);
    await visitor.context.setOffline(true);
    await page.getByText(words.offline).waitFor();
    call.text(" two");
    await visitor.context.setOffline(false);
    await assertChat(page, "> Count", "[Count] one two");
    await page.getByText(words.offline).waitFor({ state: "detached" });
    call.text(" three.").finish();
    await assertChat(page, "> Count", "[Count] one two three.");
    await untilOver(page);
  });

  test("stops on request, keeps its text, and can be continued", async () => {
    const page = await (await visit()).open();
    const call = await startCounting(page);
    await button(page, words.stop).click();
    await call.closed;
    await page.getByText(words.ends.stopped).waitFor();
    await page.reload();
    await assertChat(page, "> Count", "[Count] one");
    await page.getByText(words.ends.stopped).waitFor();
    model.say("- Go on\n---RESPONSE---\ntwo.");
    await button(page, words.continue).click();
    await assertChat(page, "> Count", "[Count] one", `> ${words.continueText}`, "[Go on] two.");
  });

  test("says why it failed, and is written again on request", async () => {
    const page = await (await visit()).open();
    model.script = (failing) => failing.text("- Try\n---RESPONSE---\nSo far").end();
    await ask(page, "Try");
    await assertChat(page, "> Try", "[Try] So far");
    const failed = page.locator("article .end.failed");
    await failed.waitFor();
    model.say("- Try harder\n---RESPONSE---\nDone.");
    await button(failed, words.retry).click();
    await assertChat(page, "> Try", "[Try harder] Done.");
  });

  test("is written again, edited, and switched between its versions, which a reload keeps", async () => {
    const page = await (await visit()).open();
    model.say("- First\n---RESPONSE---\nOne.");
    await ask(page, "Question");
    await assertChat(page, "> Question", "[First] One.");
    await untilOver(page);
    model.say("- Second\n---RESPONSE---\nTwo.");
    await button(page, words.regenerate).click();
    await assertChat(page, "> Question", "[Second] Two.");
    await button(page, words.earlierVersion).click();
    await assertChat(page, "> Question", "[First] One.");
    await page.reload();
    await assertChat(page, "> Question", "[First] One.");
    await button(page, words.laterVersion).click();
    await assertChat(page, "> Question", "[Second] Two.");
    model.say("- Third\n---RESPONSE---\nThree.");
    await button(page.locator("article.question"), words.edit).click();
    await page.getByRole("textbox", { name: words.edit }).fill("Better question");
    await button(page.locator("article.question"), words.save).click();
    await assertChat(page, "> Better question", "[Third] Three.");
    await page.reload();
    await assertChat(page, "> Better question", "[Third] Three.");
    await button(page.locator("article.question"), words.earlierVersion).click();
    await assertChat(page, "> Question", "[Second] Two.");
  });

  test("appears in the other tab while it is written", async () => {
    const visitor = await visit();
    const page = await visitor.open();
    model.say("- Greet\n---RESPONSE---\nHello.");
    await ask(page, "Hi");
    await assertChat(page, "> Hi", "[Greet] Hello.");
    await untilOver(page);
    const other = await visitor.open(`/${new URL(page.url()).hash}`);
    await assertChat(other, "> Hi", "[Greet] Hello.");
    const next = model.nextCall();
    await ask(page, "More");
    const call = await next;
    call.text("- Go on\n---RESPONSE---\nYes");
    await assertChat(page, "> Hi", "[Greet] Hello.", "> More", "[Go on] Yes");
    await assertChat(other, "> Hi", "[Greet] Hello.", "> More", "[Go on] Yes");
    await button(other, words.stop).click();
    await call.closed;
    for (const tab of [page, other]) await tab.getByText(words.ends.stopped).waitFor();
  });

  test("can be asked for, stopped and edited by the keyboard alone", async () => {
    const page = await (await visit()).open();
    await messageField(page).waitFor();
    await page.keyboard.type("One");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("two");
    const next = model.nextCall();
    await page.keyboard.press("Enter");
    const call = await next;
    call.text("- Read\n---RESPONSE---\nSo");
    await assertChat(page, "> One two", "[Read] So");
    await tabTo(words.stop);
    await page.keyboard.press("Enter");
    await call.closed;
    await untilOver(page);
    await tabTo(words.edit, "Shift+Tab");
    await page.keyboard.press("Enter");
    await page.keyboard.type("Changed ");
    model.say("- Again\n---RESPONSE---\nFine.");
    await tabTo(words.save);
    await page.keyboard.press("Enter");
    await assertChat(page, "> Changed One two", "[Again] Fine.");

    /** Presses the tab key until the focus is on the button `name`. */
    async function tabTo(name: string, key = "Tab"): Promise<void> {
      for (let presses = 0; presses < 40; presses += 1) {
        await page.keyboard.press(key);
        const focused = await page.evaluate(
          "(document.activeElement.ariaLabel ?? document.activeElement.textContent).trim()",
        );
        if (focused === name) return;
      }
      assert.fail(`the tab key does not reach ${name}`);
    }
  });

  test("tells a screen reader its first sentence once, at its end", async () => {
    const page = await (await visit()).open();
    const next = model.nextCall();
    await ask(page, "Hi");
    const call = await next;
    call.text("- Greet\n---RESPONSE---\nHello there. ");
    await assertChat(page, "> Hi", "[Greet] Hello there.");
    const spoken = page.getByRole("main").getByRole("status").filter({ hasText: "Hello there." });
    assert.equal(await spoken.count(), 0);
    call.text("Second sentence.").finish();
    await spoken.waitFor();
    assert.equal(await spoken.innerText(), words.replyComplete("Hello there."));
  });

  test("leaves the draft of the next question alone, also over a reload and in another conversation", async () => {
    const page = await (await visit()).open();
    await messageField(page).fill("A draft of a new chat");
    await page.reload();
    assert.equal(await messageField(page).inputValue(), "A draft of a new chat");
    const next = model.nextCall();
    await messageField(page).press("Enter");
    const call = await next;
    call.text("- Read\n---RESPONSE---\nSo");
    await messageField(page).fill("The next question");
    await page.reload();
    assert.equal(await messageField(page).inputValue(), "The next question");
    call.text(" far.").finish();
    await assertChat(page, "> A draft of a new chat", "[Read] So far.");
    assert.equal(await messageField(page).inputValue(), "The next question");
    const own = page.url();
    await button(page, en.history.newChat).click();
    assert.equal(await messageField(page).inputValue(), "");
    await page.goBack();
    assert.equal(page.url(), own);
    await assertChat(page, "> A draft of a new chat", "[Read] So far.");
    assert.equal(await messageField(page).inputValue(), "The next question");
  });
});
