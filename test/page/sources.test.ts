/** Sources of replies in the page: found on the web, cited in the answer, and the same after a reload. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { en } from "../../web/src/strings/en.ts";
import { useModel } from "../support/apps/use-app.ts";
import { assertAccessible } from "../support/browser/accessibility.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import { useWeb } from "../support/web/scripted-web.ts";
import { ask, assertChat, assertShows, button, untilOver } from "./person.ts";

const words = en.chat;

describe("the sources of a reply in the page", { timeout: 240_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const web = useWeb("suite");
  const { visit } = usePage(model, () => web.variables);

  test("are listed and opened by the answer's citations, also after a reload, for a question that asks for them", async () => {
    const visitor = await visit();
    const page = await visitor.open();
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
    if (process.env["PICTURE"] !== undefined) await page.screenshot({ path: process.env["PICTURE"] });
  });

  test("are missing when the search fails, which the reply says", async () => {
    const page = await (await visit()).open();
    await button(page, words.webSearch).click();
    web.engine = () => [500, "out of order"];
    model.say("- Look\n---RESPONSE---\nI do not know.");
    await ask(page, "When is high tide?");
    await assertChat(page, "> When is high tide?", "[Look] I do not know.");
    await page.getByText(words.searchFailed.web).waitFor();
  });
});
