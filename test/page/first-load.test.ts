/** The page as a browser gets it: its weight, and its policy against foreign scripts and requests. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Request } from "playwright-core";
import { useModel } from "../support/apps/use-app.ts";
import { assertAccessible, assertNoSidewaysScroll } from "../support/browser/accessibility.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import { messageField } from "./person.ts";

/** The most that the first load may weigh, compressed, with what it asks the API for. */
const maxFirstLoadBytes = 90 * 1024;

describe("opening the page", { timeout: 120_000, skip: withoutBrowser }, () => {
  const { visit } = usePage(useModel());

  test("loads at most 90 KB until a question can be typed", async () => {
    const visitor = await visit();
    const requests: Request[] = [];
    visitor.context.on("requestfinished", (request) => void requests.push(request));
    const page = await visitor.open();
    await messageField(page).waitFor();
    await page.waitForLoadState("networkidle");
    const sizes = await Promise.all(
      requests.map(async (request) => [request.url(), (await request.sizes()).responseBodySize] as const),
    );
    const total = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
    assert.ok(sizes.length >= 3, "the document, its script and its style sheet");
    assert.ok(total > 10_000 && total <= maxFirstLoadBytes, `${total} bytes: ${JSON.stringify(sizes)}`);
  });

  test("has a policy that stops scripts and styles in the document, markup from strings, and other origins", async () => {
    const visitor = await visit();
    visitor.expectProblems(/Content Security Policy|This document requires .Trusted/);
    const page = await visitor.open();
    await messageField(page).waitFor();
    const attempts: Readonly<Record<string, string>> = {
      "a script in the document": `{ const script = document.createElement("script"); script.append("mark()"); document.body.append(script); }`,
      "a handler in an attribute": `{ const image = new Image(); image.setAttribute("onerror", "mark()"); image.src = "/no-such-image"; document.body.append(image); }`,
      "markup from a string": `document.body.innerHTML = "<b>text</b>"; mark();`,
      "code from a string": `setTimeout("mark()"); new Function("mark()")();`,
      "a frame": `{ const frame = document.createElement("iframe"); frame.src = "https://example.com/"; document.body.append(frame); }`,
      "a request to another origin": `await fetch("https://example.com/"); mark();`,
      "an image from another origin": `{ const image = new Image(); image.src = "https://example.com/a.png"; document.body.append(image); }`,
    };
    for (const [name, code] of Object.entries(attempts)) {
      const violated = page.evaluate(
        `new Promise((resolve) => addEventListener("securitypolicyviolation", ({ effectiveDirective }) => resolve(effectiveDirective), { once: true }))`,
      );
      await page.evaluate(
        `(async () => { globalThis.marks = 0; globalThis.mark = () => { globalThis.marks += 1; }; ${code} })().catch(() => {})`,
      );
      assert.match(String(await violated), /^(?:script|img|frame|connect|require-trusted)/, name);
      assert.equal(await page.evaluate("marks"), 0, name);
    }
    assert.deepEqual(visitor.foreign, []);
  });

  for (const colorScheme of ["light", "dark"] as const)
    test(`has nothing for axe to find before the first question, ${colorScheme}`, async () => {
      const page = await (await visit({ colorScheme })).open();
      await messageField(page).waitFor();
      await assertAccessible(page);
    });

  for (const width of [320, 640, 1_920])
    test(`fits into a window of ${width} px`, async () => {
      const page = await (await visit({ size: { width, height: 700 } })).open();
      await messageField(page).waitFor();
      await assertNoSidewaysScroll(page);
    });
});
