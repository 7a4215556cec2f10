/** The page of a server that is stopped or killed in the middle of a reply, and started again. */
import { describe, test } from "node:test";
import { en } from "../../web/src/strings/en.ts";
import { Replica } from "../support/apps/replica.ts";
import { toVariables, useModel, useResource } from "../support/apps/use-app.ts";
import { buildPage } from "../support/browser/built-page.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { useBrowser } from "../support/browser/test-browser.ts";
import { findFreePort } from "../support/network/local-port.ts";
import { startCounting } from "./main-flows.ts";
import { assertChat, assertShows, button, untilOver } from "./person.ts";

const words = en.chat;

describe("the page of a server that restarts", { timeout: 120_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const browser = useBrowser();
  let replica: Replica;
  useResource(async (closing) => {
    if (withoutBrowser !== false) return;
    await buildPage();
    const settings = { CHAT_STORE_ENABLED: "true", PORT: String(await findFreePort()), DRAIN_SECONDS: "10" };
    replica = await Replica.start(toVariables(model, undefined, settings));
    closing.defer(async () => await replica.close());
  });

  /** Opens the page; the browser complains while there is no server. */
  async function open() {
    const visitor = await browser.visit(replica.url);
    visitor.expectProblems(/net::ERR|Failed to load resource/);
    return await visitor.open();
  }

  test("shows the whole reply of one that was asked to stop: it waits for the end of the reply", async () => {
    const page = await open();
    const call = await startCounting(page, model);
    replica.kill("SIGTERM");
    call.text(" two three.").finish();
    await replica.exit();
    await replica.restart();
    await assertChat(page, "> Count", "[Count] one two three.");
    await untilOver(page);
    await page.reload();
    await assertChat(page, "> Count", "[Count] one two three.");
  });

  test("keeps what it has shown of one that was killed, says so, and goes on from there", async () => {
    const page = await open();
    const call = await startCounting(page, model);
    call.text(" two");
    await assertChat(page, "> Count", "[Count] one two");
    replica.kill("SIGKILL");
    await replica.exit();
    await page.getByText(words.reconnecting).waitFor();
    await assertChat(page, "> Count", "[Count] one two");
    await replica.restart();
    await page.getByText(words.ends.interrupted).waitFor();
    await page.getByText(words.reconnecting).waitFor({ state: "detached" });
    await assertChat(page, "> Count", "[Count] one two");
    model.say("- Go on\n---RESPONSE---\nthree.");
    await button(page, words.continue).click();
    await assertChat(page, "> Count", "[Count] one two", `> ${words.continueText}`, "[Go on] three.");
    await untilOver(page);
    await page.reload();
    // Text of the last half second before a kill may not have been saved: then its reply is not stored.
    await page.getByText("three.", { exact: true }).waitFor();
    await assertShows(page.locator(".question-text"), "Count", words.continueText);
  });
});
