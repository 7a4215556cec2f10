/** The browser of other tests: it sees the faults of a page that has them. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { describe, test } from "node:test";
import { useResource } from "../apps/use-app.ts";
import { closeServer, listen } from "../network/local-port.ts";
import { assertAccessible, assertNoSidewaysScroll } from "./accessibility.ts";
import { withoutBrowser } from "./chromium.ts";
import { useBrowser } from "./test-browser.ts";

const policy = "default-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'";
const pages: Readonly<Record<string, string>> = {
  "/good": "<main><h1>Good</h1></main>",
  "/bad": `<main><h1 style="inline-size: 4000px">Bad</h1><img src="/image.png"></main>`,
  "/wide": "<main><h1>W</h1><svg width='4000' height='10'></svg></main>",
};

describe("the browser of the tests", { timeout: 120_000, skip: withoutBrowser }, () => {
  const browser = useBrowser();
  const server = createServer((request, response) => {
    const body = pages[request.url ?? ""];
    response.writeHead(body === undefined ? 404 : 200, {
      "content-type": "text/html",
      "content-security-policy": policy,
    });
    response.end(`<!doctype html><html lang="en"><title>Page</title><body>${body ?? ""}`);
  });
  let url = "";
  useResource(async (closing) => {
    url = `http://127.0.0.1:${await listen(server)}`;
    closing.defer(async () => await closeServer(server));
  });

  test("finds no fault in a good page, under a strict policy", async () => {
    const page = await (await browser.visit(url)).open("/good");
    await assertAccessible(page);
    await assertNoSidewaysScroll(page);
  });

  test("notes refused styles, missing files, exceptions and requests to other origins, which do not leave", async () => {
    const visitor = await browser.visit(url);
    const page = await visitor.open("/bad");
    await page.evaluate(`void Promise.reject(new Error("thrown by a script"))`);
    await page.evaluate(`fetch("https://example.com/a").catch(() => {})`);
    const other = await browser.visit(url);
    await (await other.open("/good")).evaluate(`location.href = "https://example.com/b"`);
    await other.context.waitForEvent("requestfailed").catch(() => {});
    assert.deepEqual(other.foreign, ["https://example.com/b"]);
    for (const problem of [/inline style/, /404/, /thrown by a script/, /example\.com/])
      assert.equal(
        visitor.problems.some((line) => problem.test(line)),
        true,
        String(problem),
      );
    visitor.expectProblems(/./);
    other.expectProblems(/./);
  });

  test("finds an image without a text, and a page wider than its window", async () => {
    const visitor = await browser.visit(url);
    visitor.expectProblems(/404|inline style/);
    const page = await visitor.open("/bad");
    await assert.rejects(assertAccessible(page), /image-alt/);
    await page.goto("/wide");
    await assert.rejects(assertNoSidewaysScroll(page), /4\d{3} px/);
  });
});
