/** The time from opening the page, with nothing in the browser's cache, to the first piece of a reply. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import type { ScriptedModel } from "../../test/support/model/scripted-model.ts";

const question = "When is high tide?";
/** The first piece of the answer. */
const answer = "At four.";

/** The yardstick: a page without a design or a history, that posts the field and appends the bytes. */
const barePage = `<!doctype html><title>Bare</title><textarea aria-label="Write a message"></textarea><pre></pre>
<script>
  document.querySelector("textarea").addEventListener("keydown", async (event) => {
    if (event.key !== "Enter") return;
    const messages = [{ sender: "user", text: event.target.value }];
    const headers = { "content-type": "application/json" };
    const response = await fetch("/stream-chat", { method: "POST", headers, body: JSON.stringify({ messages }) });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read())
      document.querySelector("pre").append(part.value);
  });
</script>`;

/** Resolves once the answer is in the document, and the browser has drawn it. */
const untilDrawn = `new Promise((resolve) => {
  const look = () => {
    if (!document.body.textContent.includes(${JSON.stringify(answer)})) return false;
    requestAnimationFrame(() => setTimeout(resolve));
    return true;
  };
  if (look()) return;
  const observer = new MutationObserver(() => look() && observer.disconnect());
  observer.observe(document.body, { childList: true, characterData: true, subtree: true });
})`;

/** Times in milliseconds since the navigation began. */
export interface FirstReply {
  /** When the question could be typed. */
  readonly readyMs: number;
  /** When the first piece of the answer was drawn. */
  readonly shownMs: number;
}

/** The server, and the model that it asks. */
export interface Server {
  readonly url: string;
  readonly model: ScriptedModel;
}

/** Opens the page in a new profile of the browser, and asks a question. */
export async function timeFirstReply(browser: Browser, { url, model }: Server): Promise<FirstReply> {
  return await inNewProfile(browser, async (context) => await timeReply(await context.newPage(), url, model));
}

/** Does the same with a bare page of the same server. */
export async function timeBareReply(browser: Browser, { url, model }: Server): Promise<FirstReply> {
  return await inNewProfile(browser, async (context) => {
    const bareUrl = new URL("/bare", url).href;
    await context.route(bareUrl, async (route) => {
      await route.fulfill({ contentType: "text/html", body: barePage });
    });
    return await timeReply(await context.newPage(), bareUrl, model);
  });
}

async function inNewProfile(
  browser: Browser,
  measure: (context: BrowserContext) => Promise<FirstReply>,
): Promise<FirstReply> {
  const context = await browser.newContext({ viewport: { width: 1_280, height: 800 } });
  try {
    return await measure(context);
  } finally {
    await context.close();
  }
}

async function timeReply(page: Page, url: string, model: ScriptedModel): Promise<FirstReply> {
  model.script = (call) => call.text("- Look\n---RESPONSE---\n").text(answer).finish();
  const startMs = performance.now();
  await page.goto(url, { waitUntil: "commit" });
  await page.getByRole("textbox", { name: "Write a message" }).fill(question);
  const readyMs = performance.now() - startMs;
  await page.keyboard.press("Enter");
  await page.evaluate(untilDrawn);
  return { readyMs, shownMs: performance.now() - startMs };
}
