/** The pages of `examples/`, built and served by Vite, and driven in the machine's own Chromium. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { build, preview } from "vite";
import { makeFolder, type RunningApp } from "../support/apps/start-app.ts";
import { useResource } from "../support/apps/use-app.ts";
import { launchChromium, withoutBrowser } from "../support/browser/chromium.ts";
import { examplesFolder } from "./run-example.ts";

const client = join(examplesFolder, "../packages/foreword-client/src");

/** The page of an example, and the browser that opens it. */
export class ExamplePage {
  #browser: Browser | undefined;
  #url = "";
  /** The errors of its scripts. */
  readonly errors: string[] = [];

  /** Builds and serves the page of `folder`, whose requests go to `app`. */
  async start(folder: string, app: RunningApp, closing: AsyncDisposableStack): Promise<void> {
    const { path: outDir } = closing.adopt(await makeFolder(), (made) => made.remove());
    const root = join(examplesFolder, folder);
    const options = { root, logLevel: "error", build: { outDir, emptyOutDir: true } } as const;
    // Not the built client, which other tests build again.
    const alias = [
      { find: "foreword-client/assistant-ui", replacement: join(client, "assistant-ui/assistant-ui.ts") },
      { find: /^foreword-client$/, replacement: join(client, "client.ts") },
    ];
    await build({ ...options, resolve: { alias } });
    const proxy = Object.fromEntries(
      ["/api", "/stream-chat", "/turns", "/conversations", "/files"].map((path) => [path, app.url]),
    );
    const server = await preview({ ...options, preview: { host: "127.0.0.1", port: 0, proxy } });
    closing.adopt(server, (started) => started.close());
    this.#url = server.resolvedUrls?.local[0] ?? "";
    this.#browser = closing.adopt(await launchChromium(), (launched) => launched.close());
  }

  /** Opens it for a new visitor. */
  async open(): Promise<Page> {
    if (this.#browser === undefined) throw new Error("the browser has not been started");
    const context = await this.#browser.newContext();
    const page = await context.newPage();
    page.on("pageerror", ({ message }) => void this.errors.push(message));
    await page.goto(this.#url);
    return page;
  }
}

/** The page of `folder`, for a suite; declare it after the app. */
export function useExamplePage(folder: string, app: RunningApp): ExamplePage {
  const example = new ExamplePage();
  useResource(async (closing) => {
    if (withoutBrowser === false) await example.start(folder, app, closing);
  });
  return example;
}

/** Sends a message. */
export async function send(page: Page, text: string): Promise<void> {
  await page.getByPlaceholder("Message").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

/** Asserts that the page comes to show exactly these messages, each with its plan. */
export async function assertShows(page: Page, ...messages: readonly string[]): Promise<void> {
  const shown = `Array.from(document.querySelectorAll("article"), (article) => article.innerText)`;
  const expected = JSON.stringify(JSON.stringify(messages));
  await page.waitForFunction(`JSON.stringify(${shown}) === ${expected}`).catch(() => {});
  assert.deepEqual(await page.locator("article").allInnerTexts(), messages);
}
