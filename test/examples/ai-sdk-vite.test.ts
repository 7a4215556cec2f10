/** The page of `examples/ai-sdk-vite`, built by Vite and driven in a browser. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { makeFolder } from "../support/apps/start-app.ts";
import { useApp, useModel, useResource } from "../support/apps/use-app.ts";
import { promptOf } from "../support/clients/ui-chat.ts";
import { findFreePort } from "../support/network/local-port.ts";
import { examplesFolder, runExample, startExample } from "./run-example.ts";
import { useBrowser, withoutBrowser } from "./use-browser.ts";

const vite = join(examplesFolder, "../node_modules/vite/bin/vite.js");

describe("the page of the AI SDK's example", { timeout: 240_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });
  const browser = useBrowser();
  let site = "";
  useResource(async (closing) => {
    const folder = closing.adopt(await makeFolder(), (made) => made.remove());
    const files = ["--outDir", folder.path, "--emptyOutDir"];
    const { code, stderr } = await runExample(
      "ai-sdk-vite",
      [process.execPath, vite, "build", ...files],
      app.url,
    );
    assert.equal(code, 0, stderr);
    const port = String(await findFreePort());
    const serve = [
      process.execPath,
      vite,
      "preview",
      "--outDir",
      folder.path,
      "--host",
      "127.0.0.1",
    ] as const;
    const server = closing.adopt(
      startExample("ai-sdk-vite", [...serve, "--port", port, "--strictPort"], app.url),
      async (started) => {
        started.kill("SIGKILL");
        await started.exit();
      },
    );
    while (!server.stdout.includes(port)) await server.wrote();
    site = `http://127.0.0.1:${port}`;
  });

  const send = async (page: Page, text: string): Promise<void> => {
    await page.getByPlaceholder("Message").fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  };

  /** Resolves once the page shows exactly these messages, plans included. */
  async function shows(page: Page, ...messages: readonly string[]): Promise<void> {
    const shown = `Array.from(document.querySelectorAll("article"), (article) => article.innerText)`;
    const expected = JSON.stringify(JSON.stringify(messages));
    await page.waitForFunction(`JSON.stringify(${shown}) === ${expected}`).catch(() => {});
    assert.deepEqual(await page.locator("article").allInnerTexts(), messages);
  }

  test("shows a reply as it comes, and once after a reload in its middle", async () => {
    const errors: string[] = [];
    const page = await browser.open(site, errors);
    const next = model.nextCall();
    await send(page, "Hi");
    const call = await next;
    call.text("- Greet\n---RESPONSE---\nHel");
    await shows(page, "Hi", "- Greet\n\nHel");
    const calls = model.calls.length;
    await page.reload();
    await shows(page, "Hi", "- Greet\n\nHel");
    call.text("lo.").finish();
    await shows(page, "Hi", "- Greet\n\nHello.");
    await page.getByRole("button", { name: "Send" }).waitFor();
    await page.reload();
    await shows(page, "Hi", "- Greet\n\nHello.");
    assert.equal(model.calls.length, calls);
    model.say("- More\n---RESPONSE---\nYes.");
    await send(page, "Really?");
    await shows(page, "Hi", "- Greet\n\nHello.", "Really?", "- More\n\nYes.");
    assert.deepEqual(promptOf(model.calls.at(-1)), [
      ["user", "Hi"],
      ["assistant", "Hello."],
      ["user", "Really?"],
    ]);
    model.say("- Again\n---RESPONSE---\nSure.");
    await page.getByRole("button", { name: "Again" }).click();
    await shows(page, "Hi", "- Greet\n\nHello.", "Really?", "- Again\n\nSure.");
    await page.reload();
    await shows(page, "Hi", "- Greet\n\nHello.", "Really?", "- Again\n\nSure.");
    assert.deepEqual(errors, []);
  });

  test("stops a reply, and shows why one failed", async () => {
    const errors: string[] = [];
    const page = await browser.open(site, errors);
    const next = model.nextCall();
    await send(page, "Hi");
    const call = await next;
    call.text("- Greet\n---RESPONSE---\nHel");
    await shows(page, "Hi", "- Greet\n\nHel");
    await page.getByRole("button", { name: "Stop" }).click();
    await call.closed;
    await page.getByRole("button", { name: "Send" }).waitFor();
    await page.reload();
    await shows(page, "Hi", "- Greet\n\nHel");
    model.script = (failing) => failing.text("- No\n---RESPONSE---\nSo far").end();
    await send(page, "Go on");
    await page.getByRole("alert").waitFor();
    assert.equal(await page.getByRole("alert").innerText(), "The model's reply was cut off.");
    await shows(page, "Hi", "- Greet\n\nHel", "Go on", "- No\n\nSo far");
    assert.deepEqual(errors, []);
  });
});
