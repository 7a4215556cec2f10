/** The page in its main states, for everybody: axe finds nothing, and everything fits, whatever the window. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { de } from "../../web/src/strings/de.ts";
import { en } from "../../web/src/strings/en.ts";
import { useModel } from "../support/apps/use-app.ts";
import { assertAccessible, assertNoSidewaysScroll } from "../support/browser/accessibility.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import { ask, button, messageField, untilOver } from "./person.ts";
import { tides, toReply } from "./sample-replies.ts";

const words = en.chat;

describe("the page in its main states", { timeout: 240_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const { visit } = usePage(model);

  async function askForTides(page: Page): Promise<void> {
    model.say(toReply(tides));
    await ask(page, tides.question);
    await page.getByText("Never plan a crossing").waitFor();
    await untilOver(page);
    await page.locator("main article math").first().waitFor();
  }

  for (const colorScheme of ["light", "dark"] as const)
    test(`has nothing for axe to find while a reply is planned, written, complete, stopped and failed, ${colorScheme}`, async () => {
      const page = await (await visit({ colorScheme })).open();
      const next = model.nextCall();
      await ask(page, "Hi");
      const call = await next;
      call.text("- Greet you\n");
      await page.getByText("Greet you").waitFor();
      await assertAccessible(page);
      call.text("---RESPONSE---\nHello *there*");
      await page.getByText("there").waitFor();
      await assertAccessible(page);
      await button(page, words.stop).click();
      await page.getByText(words.ends.stopped).waitFor();
      model.script = (failing) => failing.text("- Try\n---RESPONSE---\nSo far").end();
      await ask(page, "Fail");
      await page.locator("article .end.failed").waitFor();
      await assertAccessible(page);
      await askForTides(page);
      await assertAccessible(page);
    });

  test("shows a long reply in a window of 320 px without scrolling sideways", async () => {
    const page = await (await visit({ size: { width: 320, height: 640 } })).open();
    await askForTides(page);
    await assertNoSidewaysScroll(page);
    await assertReachable(page);
    await assertAccessible(page);
  });

  test("shows a long reply at a text size of 200 %", async () => {
    const page = await (await visit()).open();
    await page.evaluate(`document.documentElement.style.fontSize = "200%"`);
    await askForTides(page);
    await assertNoSidewaysScroll(page);
    await assertReachable(page);
  });

  test("lets text run from right to left where it is written so", async () => {
    const page = await (await visit()).open();
    model.say("- خطة\n---RESPONSE---\nمرحبا بالعالم.");
    await ask(page, "سؤال");
    for (const text of ["سؤال", "مرحبا"])
      await page.locator("main article :dir(rtl)", { hasText: text }).first().waitFor();
  });

  test("speaks German to a browser that prefers it", async () => {
    const page = await (await visit({ locale: "de-DE" })).open();
    await page.getByRole("textbox", { name: de.chat.placeholder }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "de");
    assert.equal(await page.getByText(en.history.newChat, { exact: true }).count(), 0);
    await assertAccessible(page);
  });

  test("prints the conversation alone", async () => {
    const page = await (await visit()).open();
    await askForTides(page);
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.getByRole("navigation").isVisible(), false);
    assert.equal(await messageField(page).isVisible(), false);
    assert.equal(await page.getByText("Never plan a crossing").isVisible(), true);
  });
});

/** Asserts that the field and its button are in the window. */
async function assertReachable(page: Page): Promise<void> {
  const size = page.viewportSize();
  for (const part of [messageField(page), button(page, words.send)]) {
    const box = await part.boundingBox();
    assert.ok(box !== null && size !== null, "it is shown");
    const isInside =
      box.x >= 0 && box.y >= 0 && box.x + box.width <= size.width && box.y + box.height <= size.height;
    assert.ok(isInside, JSON.stringify({ box, size }));
  }
}
