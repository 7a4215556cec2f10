/** A visitor of the page: a browser profile of its own, whose every complaint is noted. */
import { randomUUID } from "node:crypto";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";

/** The device and preferences of a visitor. */
export interface Device {
  readonly colorScheme?: "light" | "dark";
  /** CSS pixels; 1,280 × 800 by default. */
  readonly size?: { readonly width: number; readonly height: number };
  /** English by default. */
  readonly locale?: string;
  readonly options?: BrowserContextOptions;
  /** Another origin that may be asked. */
  readonly project?: string;
}

/** A browser profile with its tabs. */
export class Visitor {
  readonly context: BrowserContext;
  /** The user that the page names where no one signs in. */
  readonly userId: string;
  readonly #problems: string[] = [];
  readonly #expected: RegExp[] = [/Unrecognized feature: 'bluetooth'/];
  /** The addresses of all requests to other origins, which are stopped here. */
  readonly foreign: string[] = [];

  private constructor(context: BrowserContext, userId: string) {
    this.context = context;
    this.userId = userId;
    context.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning")
        this.#problems.push(`${message.type()}: ${message.text()} (${message.location().url})`);
    });
    context.on("weberror", (error) => void this.#problems.push(`exception: ${error.error().message}`));
  }

  /** Opens a profile; `url` is the server's, and the only origin that may be asked. */
  static async create(browser: Browser, url: string, device: Device): Promise<Visitor> {
    const { origin: own } = new URL(url);
    const userId = randomUUID();
    const context = await browser.newContext({
      colorScheme: device.colorScheme ?? "light",
      viewport: device.size ?? { width: 1_280, height: 800 },
      locale: device.locale ?? "en-US",
      baseURL: url,
      storageState: {
        cookies: [],
        origins: [{ origin: own, localStorage: [{ name: "foreword.user", value: userId }] }],
      },
      ...device.options,
    });
    context.setDefaultTimeout(15_000);
    const visitor = new Visitor(context, userId);
    await context.route(
      ({ protocol, origin }) =>
        /^(?:https?|wss?):$/.test(protocol) && origin !== own && origin !== device.project,
      async (route) => {
        visitor.foreign.push(route.request().url());
        await route.abort();
      },
    );
    return visitor;
  }

  /** Opens the page in a new tab, at the address `path`. */
  async open(path = "/"): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(path);
    return page;
  }

  /** Expects complaints of a kind, like failed requests while there is no network. */
  expectProblems(pattern: RegExp): void {
    this.#expected.push(pattern);
  }

  /** The complaints that no test has expected: console errors, exceptions and requests to other origins. */
  get problems(): readonly string[] {
    return [...this.#problems, ...this.foreign.map((address) => `a request for ${address}`)].filter(
      (problem) => !this.#expected.some((pattern) => pattern.test(problem)),
    );
  }
}
