/** The server with its page, for suites that use it as a person does. */
import type { RunningApp } from "../apps/start-app.ts";
import { useApp, useResource, type UseAppArguments } from "../apps/use-app.ts";
import type { ScriptedModel } from "../model/scripted-model.ts";
import { buildPage } from "./built-page.ts";
import { withoutBrowser } from "./chromium.ts";
import { useBrowser, type TestBrowser } from "./test-browser.ts";
import type { Device, Visitor } from "./visitor.ts";

/** A running server, and a browser to visit it. */
export interface ServedPage {
  readonly app: RunningApp;
  readonly browser: TestBrowser;
  /** Opens a new profile of the browser. */
  readonly visit: (device?: Device) => Promise<Visitor>;
}

/** The app with its page and a store, and a browser. */
export function usePage(model: ScriptedModel, ...[variables = {}, options]: UseAppArguments): ServedPage {
  useResource(async () => {
    if (withoutBrowser === false) await buildPage();
  });
  const app = useApp(
    model,
    () => ({ CHAT_STORE_ENABLED: "true", ...(typeof variables === "function" ? variables() : variables) }),
    options,
  );
  const browser = useBrowser();
  return { app, browser, visit: (device) => browser.visit(app.url, device) };
}
