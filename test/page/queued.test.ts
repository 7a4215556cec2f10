/** The page while the database is away. */
import { describe, test } from "node:test";
import { en } from "../../web/src/strings/en.ts";
import { startPostgresSite } from "../faults/database-bench.ts";
import { useDatabase, useModel } from "../support/apps/use-app.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import { ask, assertChat, untilOver } from "./person.ts";

const words = en.chat;

describe("the page while the database is away", { timeout: 120_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const database = withoutBrowser === false ? useDatabase(startPostgresSite) : undefined;
  const { app, visit } = usePage(model, {}, { database });

  test("shows a reply that waits to be stored, says so, also after a reload, and all messages once it is back", async () => {
    if (database === undefined) return;
    const { proxy } = database.harness;
    const visitor = await visit();
    visitor.expectProblems(/Failed to load resource/);
    const page = await visitor.open();
    model.say("- Greet\n---RESPONSE---\nHello.");
    await ask(page, "Hi");
    await assertChat(page, "> Hi", "[Greet] Hello.");
    await untilOver(page);
    const next = model.nextCall();
    await ask(page, "More");
    const call = await next;
    call.text("- Think\n---RESPONSE---\nSo");
    await assertChat(page, "> Hi", "[Greet] Hello.", "> More", "[Think] So");
    proxy.refuse();
    call.text(" be it.").finish();
    await page.getByText(words.ends.queued).waitFor();
    await page.reload();
    await assertChat(page, "> More", "[Think] So be it.");
    await page.getByText(words.ends.queued).waitFor();
    proxy.pass();
    await app.logged(({ msg }) => msg === "queued write stored");
    await assertChat(page, "> Hi", "[Greet] Hello.", "> More", "[Think] So be it.");
    await page.getByText(words.ends.queued).waitFor({ state: "detached" });
  });
});
