/** The page of `examples/assistant-ui`, built by Vite and driven in a browser. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { useApp, useModel } from "../support/apps/use-app.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { assertShows, send, useExamplePage } from "./use-page.ts";

describe("the page of assistant-ui's example", { timeout: 240_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });
  const example = useExamplePage("assistant-ui", app);

  test("lists conversations, and shows one with its plans after a reload", async () => {
    const page = await example.open();
    model.say("- Greet\n---RESPONSE---\nHello.");
    await send(page, "Hi");
    await assertShows(page, "Hi", "- Greet\n\nHello.");
    await page.reload();
    await page.getByRole("button", { name: "Hi" }).click();
    await assertShows(page, "Hi", "- Greet\n\nHello.");
    model.say("- More\n---RESPONSE---\nYes.");
    await send(page, "Really?");
    await assertShows(page, "Hi", "- Greet\n\nHello.", "Really?", "- More\n\nYes.");
    assert.deepEqual(example.errors, []);
  });
});
