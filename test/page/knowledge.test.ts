/** Knowledge bases in the page: documents are added, read, cited, refused and deleted. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { KnowledgeClient } from "../support/clients/knowledge-client.ts";
import { useModel } from "../support/apps/use-app.ts";
import { assertAccessible, assertNoSidewaysScroll } from "../support/browser/accessibility.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import { de } from "../../web/src/strings/de.ts";
import { en } from "../../web/src/strings/en.ts";
import { ask, assertChat, assertShows, button, messageField, untilOver } from "./person.ts";

const words = en.knowledge;
const toText = (name: string, text: string) => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });

describe("knowledge bases in the page", { timeout: 240_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const { app, visit } = usePage(model);

  /** Opens the panel, whose code is loaded then. */
  async function openPanel(page: Page): Promise<void> {
    await button(page, en.chat.documents).click();
    await page.getByRole("dialog", { name: words.title }).waitFor();
  }

  async function add(page: Page, ...files: readonly ReturnType<typeof toText>[]): Promise<void> {
    await page.locator(".knowledge-add input[type=file]").setInputFiles(files);
  }

  test("take documents by button, show how far they are read, and then answer questions, which cite them", async () => {
    const visitor = await visit();
    const page = await visitor.open();
    await messageField(page).waitFor();
    assert.equal(await page.getByLabel(en.chat.knowledgeBase).count(), 0, "there is nothing to choose yet");
    await openPanel(page);
    await assertAccessible(page);
    await page.getByLabel(words.newName).fill("Harbour  rules");
    await add(
      page,
      toText("tides.txt", "High tide in Dover is at 04:12 today."),
      toText("ünï.md", "# Gates"),
    );
    const rows = page.getByRole("list", { name: words.documents("Harbour rules") }).getByRole("listitem");
    await rows.filter({ hasText: "tides.txt" }).getByText(words.ready(1)).waitFor();
    await rows.filter({ hasText: "ünï.md" }).getByText(words.ready(1)).waitFor();
    await page
      .getByRole("status")
      .filter({ hasText: words.ready(1) })
      .first()
      .waitFor();
    await assertAccessible(page);
    await button(page, words.close).click();
    await button(page, en.chat.documents).and(page.locator(":focus")).waitFor();
    const picker = page.getByLabel(en.chat.knowledgeBase);
    assert.equal(await picker.inputValue(), "Harbour rules");
    model.say("- Look\n---RESPONSE---\nAt 04:12 [1].");
    await ask(page, "When is high tide in Dover?");
    await untilOver(page);
    await page.reload();
    await assertChat(page, "> When is high tide in Dover?", "[Look] At 04:12 [1].");
    await button(page, en.chat.sourceNumber(1, "tides.txt")).click();
    await page.locator(".sources").getByText("High tide in Dover is at 04:12 today.").waitFor();
    assert.equal(await picker.inputValue(), "Harbour rules", "the browser keeps the choice");
    await picker.selectOption(en.chat.noKnowledgeBase);
    model.say("- Think\n---RESPONSE---\nNo idea.");
    await ask(page, "And in Calais?");
    await assertChat(
      page,
      "> When is high tide in Dover?",
      "[Look] At 04:12 [1].",
      "> And in Calais?",
      "[Think] No idea.",
    );
    assert.equal(await page.locator(".sources").count(), 1);
  });

  test("say why a document is refused or cannot be read, and delete documents and all of them after a question", async () => {
    const visitor = await visit();
    visitor.expectProblems(/status of 415/);
    const client = new KnowledgeClient(app, visitor.userId);
    await client.addRead("Papers", "First paper.", "first.txt");
    await client.addRead("Papers", "%PDF-1.4 and nothing else", "broken.pdf");
    const page = await visitor.open();
    await page.getByLabel(en.chat.knowledgeBase).selectOption("Papers");
    await openPanel(page);
    const list = page.getByRole("list", { name: words.documents("Papers") });
    await list.getByText(`${words.unread} ${words.errors.document_unreadable}`).waitFor();
    await add(page, {
      name: "image.png",
      mimeType: "image/png",
      buffer: Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    });
    await list.getByText(`${words.refused} ${words.errors.document_type_unknown}`).waitFor();
    await assertAccessible(page);
    await button(page, words.dismiss("image.png")).click();
    const names = list.locator(".knowledge-name bdi");
    await assertShows(names, "broken.pdf", "first.txt");
    await button(page, words.delete("first.txt")).click();
    await button(page, words.keep).click();
    await page
      .locator("button:focus")
      .and(button(page, words.delete("first.txt")))
      .waitFor();
    await button(page, words.delete("first.txt")).click();
    await button(page, words.confirm).click();
    await assertShows(names, "broken.pdf");
    assert.deepEqual(
      (await client.list("Papers")).documents.map(({ name }) => name),
      ["broken.pdf"],
    );
    await button(page, words.deleteBase).click();
    await button(page, words.confirm).click();
    await page.getByLabel(words.newName).waitFor();
    await page.keyboard.press("Escape");
    await page.getByLabel(en.chat.knowledgeBase).waitFor({ state: "detached" });
    assert.equal((await client.ask("GET", "/knowledge-bases")).body, '{"knowledgeBases":[]}');
  });

  test("take dropped documents in a window of 320 px, in German and dark, and try again after an error", async () => {
    const visitor = await visit({ colorScheme: "dark", locale: "de-DE", size: { width: 320, height: 640 } });
    visitor.expectProblems(/status of 503/);
    const page = await visitor.open();
    await new KnowledgeClient(app, visitor.userId).addRead("Handbuch", "Erstes Kapitel.", "eins.txt");
    await page.reload();
    await page.getByLabel(de.chat.knowledgeBase).waitFor();
    await assertNoSidewaysScroll(page);
    const documents = /\/knowledge-bases\/.*\/documents/;
    const problem = { code: "store_refused", title: "", status: 503 };
    await page.route(documents, async (route) => {
      await route.fulfill({ status: 503, contentType: "application/problem+json", json: problem });
    });
    await button(page, de.chat.documents).click();
    await page.getByText(de.knowledge.failed).waitFor();
    await page.unroute(documents);
    await button(page, de.knowledge.tryAgain).click();
    await page.getByText(de.knowledge.ready(1)).waitFor();
    await page.evaluate(`{
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(["Zweites Kapitel."], "zwei.txt", { type: "text/plain" }));
      document.querySelector(".knowledge-add").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }`);
    await assertShows(page.locator(".knowledge-name bdi"), "zwei.txt", "eins.txt");
    await page.getByText(de.knowledge.ready(1)).nth(1).waitFor();
    await assertAccessible(page);
    await assertNoSidewaysScroll(page);
  });
});
