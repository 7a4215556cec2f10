/** The page of `examples/ai-sdk-vite`, built by Vite and driven in a browser. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { useApp, useModel } from "../support/apps/use-app.ts";
import { promptOf } from "../support/clients/ui-chat.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { assertShows, send, useExamplePage } from "./use-page.ts";

describe("the page of the AI SDK's example", { timeout: 240_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });
  const example = useExamplePage("ai-sdk-vite", app);

  test("shows a reply as it comes, and once after a reload in its middle", async () => {
    const page = await example.open();
    const next = model.nextCall();
    await send(page, "Hi");
    const call = await next;
    call.text("- Greet\n---RESPONSE---\nHel");
    await assertShows(page, "Hi", "- Greet\n\nHel");
    const calls = model.calls.length;
    await page.reload();
    await assertShows(page, "Hi", "- Greet\n\nHel");
    call.text("lo.").finish();
    await assertShows(page, "Hi", "- Greet\n\nHello.");
    await page.getByRole("button", { name: "Send" }).waitFor();
    await page.reload();
    await assertShows(page, "Hi", "- Greet\n\nHello.");
    assert.equal(model.calls.length, calls);
    model.say("- More\n---RESPONSE---\nYes.");
    await send(page, "Really?");
    await assertShows(page, "Hi", "- Greet\n\nHello.", "Really?", "- More\n\nYes.");
    assert.deepEqual(promptOf(model.calls.at(-1)), [
      ["user", "Hi"],
      ["assistant", "Hello."],
      ["user", "Really?"],
    ]);
    model.say("- Again\n---RESPONSE---\nSure.");
    await page.getByRole("button", { name: "Again" }).click();
    await assertShows(page, "Hi", "- Greet\n\nHello.", "Really?", "- Again\n\nSure.");
    await page.reload();
    await assertShows(page, "Hi", "- Greet\n\nHello.", "Really?", "- Again\n\nSure.");
    assert.deepEqual(example.errors, []);
  });

  test("stops a reply, and shows why one failed", async () => {
    const page = await example.open();
    const next = model.nextCall();
    await send(page, "Hi");
    const call = await next;
    call.text("- Greet\n---RESPONSE---\nHel");
    await assertShows(page, "Hi", "- Greet\n\nHel");
    await page.getByRole("button", { name: "Stop" }).click();
    await call.closed;
    await page.getByRole("button", { name: "Send" }).waitFor();
    await page.reload();
    await assertShows(page, "Hi", "- Greet\n\nHel");
    model.script = (failing) => failing.text("- No\n---RESPONSE---\nSo far").end();
    await send(page, "Go on");
    await page.getByRole("alert").waitFor();
    assert.equal(await page.getByRole("alert").innerText(), "The model's reply was cut off.");
    await assertShows(page, "Hi", "- Greet\n\nHel", "Go on", "- No\n\nSo far");
    assert.deepEqual(example.errors, []);
  });
});
