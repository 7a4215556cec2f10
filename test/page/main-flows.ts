/** What people do most in the page, as tests for any database. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { en } from "../../web/src/strings/en.ts";
import { assertAccessible } from "../support/browser/accessibility.ts";
import type { Visitor } from "../support/browser/visitor.ts";
import type { ScriptedCall, ScriptedModel } from "../support/model/scripted-model.ts";
import type { ScriptedWeb } from "../support/web/scripted-web.ts";
import { ask, assertChat, assertKept, assertShows, button, messageField, untilOver } from "./person.ts";
import { dropOrPaste, toImage } from "./image-files.ts";

const words = en.chat;

/** The page that is tested. */
interface TestedPage {
  readonly model: ScriptedModel;
  /** What the server's search engine finds. */
  readonly web: ScriptedWeb;
  /** Opens the page of a new user. */
  readonly enter: () => Promise<{ readonly visitor: Visitor; readonly page: Page }>;
}

/** Asks for a count; resolves with the call of the model, which has got to one. */
export async function startCounting(page: Page, model: ScriptedModel): Promise<ScriptedCall> {
  const next = model.nextCall();
  await ask(page, "Count");
  const call = await next;
  call.text("- Count\n---RESPONSE---\none");
  await assertChat(page, "> Count", "[Count] one");
  return call;
}

/** Tests a reply in the page. */
export function testReplies({ model, web, enter }: TestedPage): void {
  test("shows its plan while it is written, which folds when the answer begins, and opens again", async () => {
    const { page } = await enter();
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
    const { page } = await enter();
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

  test("stops on request, keeps its text, and can be continued", async () => {
    const { page } = await enter();
    const call = await startCounting(page, model);
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
    const { page } = await enter();
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
    const { page } = await enter();
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
    const { visitor, page } = await enter();
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

  test("answers files by button, paste and drop, which a reload keeps until they are sent", async () => {
    const { page } = await enter();
    await page.locator("input[type=file]").setInputFiles(toImage("button.png"));
    await page.evaluate(dropOrPaste("paste", "pasted.png"));
    await page.evaluate(dropOrPaste("drop", "dropped.png"));
    await messageField(page).fill("Which?");
    const added = page.locator(".added-files bdi");
    await assertShows(added, "button.png", "pasted.png", "dropped.png");
    await button(page, words.removeFile("pasted.png")).click();
    await assertShows(added, "button.png", "dropped.png");
    await assertKept(page, "button.png", "dropped.png");
    await page.reload();
    await assertShows(added, "button.png", "dropped.png");
    model.say("- Look\n---RESPONSE---\nTwo.");
    await messageField(page).press("Enter");
    await assertChat(page, "> Which?", "[Look] Two.");
    await untilOver(page);
    await page.reload();
    await assertChat(page, "> Which?", "[Look] Two.");
    assert.equal(await page.getByRole("img", { name: /button|dropped/ }).count(), 2);
    assert.equal(await added.count(), 0);
  });

  test("lists its sources, which the answer's citations open, also after a reload, if a search was asked for", async () => {
    const { visitor, page } = await enter();
    model.say("- Greet\n---RESPONSE---\nHello [1].");
    await ask(page, "Hi");
    await assertChat(page, "> Hi", "[Greet] Hello [1].");
    await untilOver(page);
    assert.equal(await page.locator(".sources, .citation").count(), 0);
    web.addHtml("tides", "<html><title>Tides</title><p>High tide is at 04:12 today.</p></html>");
    web.find(
      { title: "Tides", url: web.toPageUrl("tides"), content: "A snippet" },
      { title: "Harbour", url: web.toPageUrl("gone"), content: "The harbour opens at six." },
    );
    const search = button(page, words.webSearch);
    await search.click();
    assert.equal(await search.getAttribute("aria-pressed"), "true");
    model.say("- Look\n---RESPONSE---\nAt 04:12 [1][2, 1]. Not `[1]` nor [9].");
    await ask(page, "When is high tide?");
    await untilOver(page);
    for (const isReloaded of [false, true]) {
      if (isReloaded) await page.reload();
      await assertShows(page.locator(".citation"), "[1]", "[2]", "[1]");
      const reply = page.locator("article.reply").last();
      await assertChat(
        page,
        "> Hi",
        "[Greet] Hello [1].",
        "> When is high tide?",
        "[Look] At 04:12 [1][2][1]. Not [1] nor [9].",
      );
      await reply.getByText(words.sourceCount(2), { exact: true }).waitFor();
      await reply.getByRole("button", { name: /^Source 2: Harbour$/ }).click();
      await page.locator(".sources summary:focus", { hasText: "Harbour" }).waitFor();
      await reply.getByText("The harbour opens at six.").waitFor();
      const link = reply.getByRole("link", { name: web.toPageUrl("gone") });
      assert.equal(await link.getAttribute("rel"), "noopener noreferrer");
      assert.equal(await link.getAttribute("target"), "_blank");
      await assertAccessible(page);
    }
    assert.equal(await search.getAttribute("aria-pressed"), "true");
    assert.deepEqual(visitor.foreign, []);
  });

  test("says, also after a reload, that a search has failed or found nothing", async () => {
    const { page } = await enter();
    await button(page, words.webSearch).click();
    web.engine = () => [500, "out of order"];
    model.say("- Look\n---RESPONSE---\nI do not know.");
    await ask(page, "When is high tide?");
    await assertChat(page, "> When is high tide?", "[Look] I do not know.");
    await untilOver(page);
    web.find();
    model.say("- Look\n---RESPONSE---\nStill not.");
    await ask(page, "When does the next low tide happen here?");
    await untilOver(page);
    const searches = page.locator("article .search");
    for (const isReloaded of [false, true]) {
      if (isReloaded) await page.reload();
      await assertShows(
        searches,
        words.searchFailed.web,
        words.searchNothing.web("When does the next low tide happen here?"),
      );
    }
  });
}
