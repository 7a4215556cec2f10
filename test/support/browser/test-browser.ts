/** The browser of a suite, whose pages may not complain. */
import assert from "node:assert/strict";
import { afterEach } from "node:test";
import type { Browser } from "playwright-core";
import { useResource } from "../apps/use-app.ts";
import { launchChromium, withoutBrowser } from "./chromium.ts";
import { Visitor, type Device } from "./visitor.ts";

/** A browser without a window, and its visitors during one test. */
export class TestBrowser {
  #browser: Browser | undefined;
  readonly #visitors: Visitor[] = [];

  /** Starts it. */
  async start(closing: AsyncDisposableStack): Promise<void> {
    this.#browser = closing.adopt(await launchChromium(), (launched) => launched.close());
  }

  /** Opens a new profile, for the server at `url`. */
  async visit(url: string, device: Device = {}): Promise<Visitor> {
    if (this.#browser === undefined) throw new Error("the browser has not been started");
    const visitor = await Visitor.create(this.#browser, url, device);
    this.#visitors.push(visitor);
    return visitor;
  }

  /** Closes all profiles; returns their unexpected complaints. */
  async leave(): Promise<readonly string[]> {
    const visitors = this.#visitors.splice(0);
    await Promise.all(visitors.map(({ context }) => context.close()));
    return visitors.flatMap(({ problems }) => problems);
  }
}

/** A browser, in which no page may complain, throw, or ask another origin: else the test fails. */
export function useBrowser(): TestBrowser {
  const browser = new TestBrowser();
  useResource(async (closing) => {
    if (withoutBrowser === false) await browser.start(closing);
  });
  afterEach(async () => assert.deepEqual(await browser.leave(), []));
  return browser;
}
