/** A conversation of 5,000 messages: few of them are in the document, and none is missing on paper. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { z } from "zod";
import { en } from "../../web/src/strings/en.ts";
import { useModel } from "../support/apps/use-app.ts";
import { assertNoSidewaysScroll } from "../support/browser/accessibility.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import type { Visitor } from "../support/browser/visitor.ts";
import { button } from "./person.ts";

/** The most messages that may be in the document. */
const maxRows = 60;
const nextFrame = "new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))";

/** Messages of very different heights. */
function writeMessages(count: number): { readonly sender: string; readonly text: string }[] {
  return Array.from({ length: count }, (_, index) => {
    const isQuestion = index % 2 === 0;
    const text = `Message ${index}.${"\n\n- an item of a list".repeat(isQuestion ? 0 : (index * 7) % 40)}`;
    return { sender: isQuestion ? "user" : "assistant", text };
  });
}

/** Scrolls up until a message with this text is in view. */
async function scrollUpTo(page: Page, text: string): Promise<void> {
  const isInView = `(() => {
    const { top, bottom } = document.querySelector(".messages").getBoundingClientRect();
    const rows = Array.from(document.querySelectorAll(".message-row"));
    const box = rows.find((row) => row.textContent.includes(${JSON.stringify(text)}))?.getBoundingClientRect();
    return box !== undefined && box.bottom > top && box.top < bottom;
  })()`;
  for (let step = 0; step < 100; step += 1) {
    if ((await page.evaluate(isInView)) === true) return;
    await page.evaluate(`document.querySelector(".messages").scrollBy(0, -400)`);
    await page.evaluate(nextFrame);
  }
  assert.fail(`${text} does not come`);
}

async function countRows(page: Page): Promise<number> {
  return await page.locator(".message-row").count();
}

/** The first message in view, and how far from the top it is. */
async function readPlace(page: Page): Promise<{ readonly name: string; readonly top: number }> {
  const place: unknown = await page.evaluate(`(() => {
    const { top, bottom } = document.querySelector(".messages").getBoundingClientRect();
    for (const row of document.querySelectorAll(".message-row")) {
      const box = row.getBoundingClientRect();
      const name = /Message \\d+\\./.exec(row.textContent)?.[0];
      if (box.bottom > top && box.top < bottom && name !== undefined) return { name, top: box.top - top };
    }
  })()`);
  return z.object({ name: z.string(), top: z.number() }).parse(place);
}

describe("a conversation of 5,000 messages", { timeout: 120_000, skip: withoutBrowser }, () => {
  const { app, visit } = usePage(useModel());

  /** Opens a conversation of these messages, and a reply. */
  async function openChat(visitor: Visitor, messages: ReturnType<typeof writeMessages>): Promise<Page> {
    const conversationId = randomUUID();
    const body = { messages, conversationId, userId: visitor.userId };
    const { status, body: reply } = await app.post("/stream-chat", body);
    assert.equal(status, 200, reply);
    const path = `/conversations/${conversationId}/messages?userId=${visitor.userId}&limit=1`;
    while (!(await app.get(path)).body.includes("Hello.")); // until the journal has been replayed
    return await visitor.open(`/#/c/${conversationId}`);
  }

  test("opens at its end with few of them, scrolls up without a jump, and is printed as far as it is loaded", async () => {
    const visitor = await visit();
    const page = await openChat(visitor, writeMessages(4_999));
    await page.locator(".message-row").getByText("Message 4998.").waitFor();
    await page.locator(".message-row").getByText("Hello.", { exact: true }).waitFor();
    assert.ok((await countRows(page)) <= maxRows, "at the end");

    const loaded = new Set<string>();
    for (let step = 0; step < 40; step += 1) {
      const before = await readPlace(page);
      loaded.add(before.name);
      await page.evaluate(`document.querySelector(".messages").scrollBy(0, -600)`);
      for (let frame = 0; frame < 3; frame += 1) await page.evaluate(nextFrame);
      const after = await readPlace(page);
      const steps = Number(/\d+/.exec(before.name)) - Number(/\d+/.exec(after.name));
      assert.ok(steps >= 0 && steps <= 20, `from ${before.name} to ${after.name}`);
      assert.ok((await countRows(page)) <= maxRows, `at ${after.name}`);
    }
    const resting = await readPlace(page);
    for (let frame = 0; frame < 20; frame += 1) await page.evaluate(nextFrame);
    assert.deepEqual(await readPlace(page), resting);

    let first = Number(/\d+/.exec(resting.name));
    for (let step = 0; step < 200 && first > 4_620; step += 1) {
      await page.evaluate(`document.querySelector(".messages").scrollTo(0, 0)`);
      await page.evaluate(nextFrame);
      first = Number(/\d+/.exec((await readPlace(page)).name));
      assert.ok((await countRows(page)) <= maxRows, `at message ${first}`);
    }
    assert.ok(first <= 4_620, `older messages than ${first} are not loaded`);

    await page.evaluate(
      `addEventListener("beforeprint", () => { globalThis.printed = Array.from(document.querySelectorAll(".message-row"), (row) => row.textContent); })`,
    );
    const paper = (await page.pdf()).toString("latin1").match(/\/Type \/Page\b/g) ?? [];
    assert.ok(paper.length >= 10, `${paper.length} pages of paper`);
    const printed = z.array(z.string()).parse(await page.evaluate("printed"));
    assert.ok(printed.length >= 380, `${printed.length} messages`);
    const numbers = printed.slice(0, -1).map((text) => Number(/Message (\d+)\./.exec(text)?.[1]));
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => 4_999 - numbers.length + index),
    );
    await page.evaluate(nextFrame);
    assert.ok((await countRows(page)) <= maxRows, "after printing");

    await button(page, en.chat.toEnd).click();
    await page.locator(".message-row").getByText("Hello.", { exact: true }).waitFor();
    await page.setViewportSize({ width: 320, height: 600 });
    await page.evaluate(nextFrame);
    await page.locator(".message-row").getByText("Hello.", { exact: true }).waitFor();
    await assertNoSidewaysScroll(page);
    assert.ok((await countRows(page)) <= maxRows, "in a narrow window");
  });

  test("keeps a long reply in the document while it is out of view: it is neither read nor laid out again", async () => {
    const visitor = await visit();
    const messages = writeMessages(60).map((message, index) =>
      index === 41
        ? { ...message, text: `Long reply.${"\n\nA paragraph of it.".repeat(3_000)}\n\nIts end.` }
        : message,
    );
    const page = await openChat(visitor, messages.slice(0, 59));
    await page.locator(".message-row").getByText("Hello.", { exact: true }).waitFor();
    await scrollUpTo(page, "Its end.");
    const row = `Array.from(document.querySelectorAll(".message-row")).find((one) => one.textContent.includes("Long reply."))`;
    const height = await page.evaluate(
      `((row) => { row.isMarked = true; return row.offsetHeight; })(${row})`,
    );
    assert.ok(Number(height) > 10_000, `${String(height)} px`);
    await button(page, en.chat.toEnd).click();
    await page.locator(".message-row").getByText("Hello.", { exact: true }).waitFor();
    for (let frame = 0; frame < 3; frame += 1) await page.evaluate(nextFrame);
    const { name } = await readPlace(page);
    assert.ok(Number(/\d+/.exec(name)) > 45, `${name} is in view`);
    const kept = await page.evaluate(
      `((row) => [row.isMarked, row.offsetHeight, row.textContent.includes("Its end.")])(${row})`,
    );
    assert.deepEqual(kept, [true, height, true]);
    assert.ok((await countRows(page)) <= maxRows);
  });
});
