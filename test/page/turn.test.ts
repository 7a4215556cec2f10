/** Replies in the page, as a person sees them: plan first, answer after, and nothing lost. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { useWeb } from "../support/web/scripted-web.ts";
import { en } from "../../web/src/strings/en.ts";
import { useModel } from "../support/apps/use-app.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import { startCounting, testReplies } from "./main-flows.ts";
import { ask, assertChat, button, messageField, untilOver } from "./person.ts";

const words = en.chat;

describe("a reply in the page", { timeout: 240_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const web = useWeb("suite");
  const { visit } = usePage(model, () => ({ ...web.variables, SHOW_REASONING: "true" }));

  testReplies({
    model,
    web,
    enter: async () => {
      const visitor = await visit();
      return { visitor, page: await visitor.open() };
    },
  });

  test("goes on in a new tab after its tab was closed", async () => {
    const visitor = await visit();
    const page = await visitor.open();
    const call = await startCounting(page, model);
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
    const call = await startCounting(page, model);
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

  test("shows how long it has been thinking, each second and without announcing it, and how long it thought", async () => {
    const page = await (await visit()).open();
    await messageField(page).waitFor();
    await page.clock.install();
    const next = model.nextCall();
    await ask(page, "Think");
    const call = await next;
    const timer = page.locator("article").getByRole("timer");
    await timer.waitFor({ state: "attached" });
    assert.equal(await timer.innerText(), "", "nothing in the first second");
    await page.clock.runFor(65_000);
    await timer.filter({ hasText: /^1 min [5-9] s$/ }).waitFor();
    assert.equal(
      await page.locator("[role=status], [role=alert], [aria-live=polite]", { has: timer }).count(),
      0,
    );
    call.text("<think>Two steps.");
    const reasoning = page.locator("article details.reasoning");
    await reasoning.getByText("Two steps.").waitFor();
    await reasoning.locator("summary", { hasText: /^Thinking … 1 min/ }).waitFor();
    call.text("</think>- Add");
    await reasoning.locator("summary", { hasText: /^Thought for 1 min [5-9] s$/ }).waitFor();
    await timer.waitFor({ state: "detached" });
    assert.equal(await reasoning.getAttribute("open"), null);
    call.text("\n---RESPONSE---\nDone.").finish();
    await assertChat(page, "> Think", "[Add] Done.");
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
