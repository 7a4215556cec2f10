/** The page after an upgrade of its server, which no longer has the parts that are loaded later. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { en } from "../../web/src/strings/en.ts";
import { useModel } from "../support/apps/use-app.ts";
import { withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";
import { ask, button, messageField, untilOver } from "./person.ts";

const reply = "- Show\n---RESPONSE---\n```js\nconst one = 1;\n```\n\n$$x^2$$\n\nDone.";

describe("a page whose later parts are gone", { timeout: 120_000, skip: withoutBrowser }, () => {
  const model = useModel();
  const { visit } = usePage(model);

  for (const [name, isUpgraded] of [
    ["shows replies without them, and offers the new version, which keeps the draft", true],
    ["shows replies without them, and offers nothing if the server has no new version", false],
  ] as const)
    test(name, async () => {
      const visitor = await visit();
      visitor.expectProblems(/404|Failed to load|MIME/);
      const page = await visitor.open();
      await messageField(page).waitFor();
      await page.route(/\/assets\//, async (route) => await route.fulfill({ status: 404, body: "{}" }));
      const read = page.waitForResponse(
        (response) =>
          response.request().resourceType() === "fetch" && new URL(response.url()).pathname === "/",
      );
      if (isUpgraded)
        await page.route(
          /:\d+\/$/,
          async (route) => await route.fulfill({ contentType: "text/html", body: "<p>New" }),
        );
      model.say(reply);
      await ask(page, "Show");
      await untilOver(page);
      await (await read).finished();
      await page.getByText("Done.").waitFor();
      assert.equal(await page.locator("article pre").innerText(), "const one = 1;\n".trim());
      assert.equal(await page.locator(".markdown-math code").innerText(), "x^2");
      if (!isUpgraded) return assert.equal(await page.getByText(en.page.newVersion).count(), 0);
      await page.getByText(en.page.newVersion).waitFor();
      await messageField(page).fill("A draft");
      await page.unroute(/\/assets\//);
      await page.unroute(/:\d+\/$/);
      await button(page, en.page.reload).click();
      await page.locator(".markdown-math math").waitFor();
      assert.equal(await messageField(page).inputValue(), "A draft");
      assert.equal(await page.getByText(en.page.newVersion).count(), 0);
    });
});
