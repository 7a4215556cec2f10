/**
 * The page in its main states, for everybody: axe finds nothing, and everything fits, whatever the
 * window.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { de } from "../../web/src/strings/de.ts";
import { en } from "../../web/src/strings/en.ts";
import { useTools } from "../flow/tools/use-tools.ts";
import { useModel, useResource } from "../support/apps/use-app.ts";
import { assertAccessible, assertNoSidewaysScroll } from "../support/browser/accessibility.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import { ask, button, messageField, untilOver } from "./person.ts";
import { tides, toReply } from "./sample-replies.ts";

const words = en.chat;

describe("the page in its main states", { timeout: 240_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const tools = useTools("suite");
  const { app, visit } = usePage(model, () => tools.variables);
  useResource(async () => await app.app.tools?.ready(60_000));

  async function askForTides(page: Page): Promise<void> {
    model.say(toReply(tides));
    await ask(page, tides.question);
    await page.getByText("Never plan a crossing").waitFor();
    await untilOver(page);
    await page.locator("main article math").first().waitFor();
  }

  test("has nothing for axe to find while a reply is planned, written, complete, stopped and failed", async () => {
    const page = await (await visit()).open();
    const next = model.nextCall();
    await ask(page, "Hi");
    const call = await next;
    call.text("- Greet you\n");
    await page.getByText("Greet you").waitFor();
    await assertAccessibleInBoth(page);
    call.text("---RESPONSE---\nHello *there*");
    await page.getByText("there").waitFor();
    await assertAccessibleInBoth(page);
    await button(page, words.stop).click();
    await page.getByText(words.ends.stopped).waitFor();
    model.script = (failing) => failing.text("- Try\n---RESPONSE---\nSo far").end();
    await ask(page, "Fail");
    await page.locator("article .end.failed").waitFor();
    await assertAccessibleInBoth(page);
    await askForTides(page);
    await assertAccessibleInBoth(page);
  });

  test("has nothing for axe to find in tools, editing, search and notices, in a window of 320 px", async () => {
    const page = await (await visit({ size: { width: 320, height: 640 } })).open();
    model.inOrder(
      (call) =>
        call
          .text("- Look\n---RESPONSE---\nOne moment.")
          .toolCall("w__look", { place: "harbour" })
          .toolCall("w__act", { text: "Tide" })
          .finish("tool_calls"),
      (call) => call.text("Done.").finish(),
    );
    await ask(page, "Look, then act");
    await button(page, words.deny).waitFor();
    await assertAccessibleInBoth(page);
    await button(page, words.approve).click();
    await page.getByText("Done.", { exact: true }).waitFor();
    await untilOver(page);
    await page.getByText(words.details, { exact: true }).click();
    await button(page.locator("article.question"), words.edit).click();
    await page.getByRole("textbox", { name: words.edit }).fill("Other");
    await assertAccessibleInBoth(page);
    await page.keyboard.press("Escape");
    await button(page, en.history.open).click();
    await page.getByText(en.settings.title, { exact: true }).click();
    await page.getByRole("searchbox").fill("act");
    await page.locator("nav mark").first().waitFor();
    await button(page.getByRole("navigation"), en.history.actions("Look, then act")).click();
    await page.getByRole("menuitem", { name: en.history.archive }).waitFor();
    await assertAccessibleInBoth(page);
    await page.getByRole("menuitem", { name: en.history.archive }).click();
    await page.getByRole("status").filter({ hasText: en.history.undo }).waitFor();
    await assertAccessibleInBoth(page);
    await assertNoSidewaysScroll(page);
  });

  test("shows a long reply in a window of 320 px, and at a text size of 200 %, without scrolling sideways", async () => {
    const page = await (await visit({ size: { width: 320, height: 640 } })).open();
    await askForTides(page);
    await assertNoSidewaysScroll(page);
    await assertReachable(page);
    await page.setViewportSize({ width: 1_280, height: 800 });
    await page.evaluate(`document.documentElement.style.fontSize = "200%"`);
    await page.getByRole("searchbox").waitFor();
    await assertNoSidewaysScroll(page);
    await assertReachable(page);
  });

  test("lets text run from right to left where it is written so", async () => {
    const page = await (await visit()).open();
    model.say("- خطة\n---RESPONSE---\nمرحبا بالعالم.");
    await ask(page, "سؤال");
    for (const text of ["سؤال", "مرحبا"])
      await page.locator("main article :dir(rtl)", { hasText: text }).first().waitFor();
    await untilOver(page);
    await page.evaluate(`document.documentElement.dir = "rtl"`);
    const list = await page.locator(".page > nav").boundingBox();
    const send = await button(page, words.send).boundingBox();
    assert.ok(list !== null && send !== null);
    assert.ok(send.x < list.x && Math.round(list.x + list.width) === 1_280, "the page is mirrored");
    await assertNoSidewaysScroll(page);
    await assertAccessible(page);
  });

  test("speaks German to a browser that prefers it", async () => {
    const page = await (await visit({ locale: "de-DE" })).open();
    await page.getByRole("textbox", { name: de.chat.placeholder }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "de");
    assert.equal(await page.getByText(en.history.newChat, { exact: true }).count(), 0);
    await assertAccessible(page);
  });

  test("moves nothing for those who want no motion, and outlines all parts in forced colours", async () => {
    const page = await (await visit({ options: { reducedMotion: "reduce", forcedColors: "active" } })).open();
    await askForTides(page);
    const moving = `document.getAnimations().length + Array.from(document.querySelectorAll("*"))
      .filter((element) => getComputedStyle(element).transitionDuration !== "0s" || getComputedStyle(element).scrollBehavior === "smooth").length`;
    assert.equal(await page.evaluate(moving), 0);
    for (const part of [".question-text", "nav a[aria-current]", ".composer", ".markdown-code"]) {
      const outline = `(({ borderStyle, outlineStyle }) => borderStyle + " " + outlineStyle)(getComputedStyle(document.querySelector("${part}")))`;
      assert.match(String(await page.evaluate(outline)), /solid/, part);
    }
  });

  test("leads by its skip link past the list", async () => {
    const page = await (await visit()).open();
    await messageField(page).waitFor();
    await page.getByText(en.page.skip).focus();
    assert.ok(
      ((await page.getByText(en.page.skip).boundingBox())?.width ?? 0) > 50,
      "it is seen when focused",
    );
    await page.keyboard.press("Enter");
    await page.locator("main:focus").waitFor();
    assert.doesNotMatch(page.url(), /#chat/);
  });

  test("prints the conversation alone, dark on light", async () => {
    const page = await (await visit({ colorScheme: "dark" })).open();
    model.say("- Greet\n---RESPONSE---\nHello.");
    await ask(page, "Hi");
    await untilOver(page);
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.getByRole("navigation").isVisible(), false);
    assert.equal(await messageField(page).isVisible(), false);
    assert.equal(await page.getByText("Hello.", { exact: true }).isVisible(), true);
    assert.equal(await page.evaluate("getComputedStyle(document.documentElement).colorScheme"), "light");
  });

  test("prints a long reply whole, although its text is shown piece by piece", async () => {
    const page = await (await visit()).open();
    const paragraphs = Array.from({ length: 2_000 }, (_, index) => `Paragraph ${index} of many.\n\n`);
    model.say("- Count\n---RESPONSE---\n", ...paragraphs);
    await ask(page, "Count");
    await untilOver(page);
    await page.reload();
    await page.locator("article.reply").waitFor({ state: "attached" });
    await page.evaluate(
      `addEventListener("beforeprint", () => { globalThis.printed = document.querySelector("article.reply").textContent; })`,
    );
    const paper = (await page.pdf()).toString("latin1").match(/\/Type \/Page\b/g) ?? [];
    assert.ok(paper.length >= 40, `${paper.length} pages of paper`);
    const printed = String(await page.evaluate("printed")).match(/Paragraph \d+ of many/g);
    assert.equal(printed?.length, 2_000);
  });
});

/** Has axe look at the page as it is, in light and in dark. */
async function assertAccessibleInBoth(page: Page): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await assertAccessible(page);
  }
}

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
