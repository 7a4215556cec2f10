/** A browser for tests: the machine's own Chromium. Nothing is downloaded. */
import { existsSync } from "node:fs";
import { chromium, type Browser, type Page } from "playwright-core";
import { useResource } from "../support/apps/use-app.ts";

const places = [
  process.env["CHROMIUM"] ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** Where the browser is; `undefined` if there is none. */
const executablePath = places.find((place) => place !== "" && existsSync(place));

/** Why tests with a browser are left out; `false` if they are not. */
export const withoutBrowser: string | false =
  executablePath === undefined &&
  "there is no Chromium: install it (apt-get install chromium), or name it in CHROMIUM";

/** A browser that a suite starts. */
export class TestBrowser {
  #browser: Browser | undefined;

  async start(): Promise<this> {
    if (executablePath === undefined) return this;
    this.#browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
    return this;
  }

  /** Opens a page; errors of its scripts are added to `errors`. */
  async open(url: string, errors: string[]): Promise<Page> {
    if (this.#browser === undefined) throw new Error("the browser has not been started");
    const context = await this.#browser.newContext();
    const page = await context.newPage();
    page.on("pageerror", ({ message }) => void errors.push(message));
    await page.goto(url);
    return page;
  }

  async close(): Promise<void> {
    await this.#browser?.close();
  }
}

/** The browser, for a suite. */
export function useBrowser(): TestBrowser {
  const browser = new TestBrowser();
  useResource(async (closing) => closing.adopt(await browser.start(), () => browser.close()));
  return browser;
}
