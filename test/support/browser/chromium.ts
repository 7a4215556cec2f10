/** The machine's own Chromium, for tests of pages. Nothing is downloaded. */
import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";

const places = [
  process.env["CHROMIUM"] ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** Where the browser is; empty if there is none. */
export const executablePath = places.find((place) => place !== "" && existsSync(place)) ?? "";

/** Why tests with a browser are left out; `false` if they are not. */
export const withoutBrowser: string | false =
  executablePath === "" &&
  "there is no Chromium: install it (apt-get install chromium), or name it in CHROMIUM";

/** Starts the browser, without a window; the caller closes it. */
export async function launchChromium(): Promise<Browser> {
  return await chromium.launch({ executablePath, args: ["--no-sandbox"] });
}
