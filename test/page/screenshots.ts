/**
 * Takes pictures of the page in its main states: `npm run screenshots -- FOLDER`, by default
 * `docs/images`.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { en } from "../../web/src/strings/en.ts";
import { startApp } from "../support/apps/start-app.ts";
import { toVariables } from "../support/apps/use-app.ts";
import { buildPage } from "../support/browser/built-page.ts";
import { launchChromium } from "../support/browser/chromium.ts";
import { Visitor, type Device } from "../support/browser/visitor.ts";
import { ScriptedModel } from "../support/model/scripted-model.ts";
import { ask, button, untilOver } from "./person.ts";
import { tides, titles, toReply } from "./sample-replies.ts";

const small = { width: 1_120, height: 800 };
const phone = { width: 360, height: 740 };
const folder = process.argv[2] ?? fileURLToPath(new URL("../../docs/images", import.meta.url));
/** Whether all states are wanted, or only the pictures of README. */
const isComplete = process.argv[2] !== undefined;

await mkdir(folder, { recursive: true });
await buildPage();
await using closing = new AsyncDisposableStack();
const model = closing.adopt(await ScriptedModel.start(), (started) => started.close());
const app = closing.adopt(
  await startApp(toVariables(model, undefined, { CHAT_STORE_ENABLED: "true" })),
  (started) => started.close(),
);
const browser = closing.adopt(await launchChromium(), (launched) => launched.close());

for (const colorScheme of ["light", "dark"] as const) {
  await take(`page-${colorScheme}`, { colorScheme, size: small }, async (page) => {
    const next = model.nextCall();
    await ask(page, tides.question);
    const call = await next;
    const [shown = ""] = tides.answer.split("\nFor any other moment");
    call.text(toReply({ ...tides, answer: shown.trimEnd() }));
    await page.locator("main article table").waitFor();
    await page.getByText(en.chat.plan, { exact: true }).click();
    await page.locator("main article.question").scrollIntoViewIfNeeded();
    return () => call.finish();
  });
  if (!isComplete) continue;
  await take(`empty-${colorScheme}`, { colorScheme, size: small }, async () => () => {});
  await take(`complete-${colorScheme}`, { colorScheme, size: small }, answer);
  await take(`phone-${colorScheme}`, { colorScheme, size: phone }, answer);
  await take(`phone-list-${colorScheme}`, { colorScheme, size: phone }, async (page) => {
    await button(page, en.history.open).click();
    await page.getByRole("dialog").waitFor();
    return () => {};
  });
  await take(`large-text-${colorScheme}`, { colorScheme, size: small }, async (page) => {
    await page.evaluate(`document.documentElement.style.fontSize = "200%"`);
    return await answer(page);
  });
  await take(`failed-${colorScheme}`, { colorScheme, size: small }, async (page) => {
    model.script = (failing) => failing.text("- Try\n---RESPONSE---\nSo far, so good").end();
    await ask(page, "Fail, please");
    await page.locator("article .end.failed").waitFor();
    await button(page.getByRole("navigation"), en.history.actions("Fish soup for eight people")).click();
    return () => {};
  });
}

async function answer(page: Page): Promise<() => void> {
  model.say(toReply(tides));
  await ask(page, tides.question);
  await untilOver(page);
  await page.locator("main article math").first().waitFor();
  return () => {};
}

/** Takes one picture for a user with conversations; `prepare` returns how to end. */
async function take(
  name: string,
  device: Device,
  prepare: (page: Page) => Promise<() => void>,
): Promise<void> {
  const visitor = await Visitor.create(browser, app.url, device);
  for (const title of titles.slice(1).toReversed())
    await app.post(`/conversations?userId=${visitor.userId}`, { title });
  const page = await visitor.open();
  await page.getByRole("main").getByRole("textbox").waitFor();
  const end = await prepare(page);
  await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled", caret: "hide" });
  end();
  await visitor.context.close();
}
