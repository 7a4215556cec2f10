/** Checks pages with axe, the accessibility engine. */
import assert from "node:assert/strict";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { z } from "zod";

const Violations = z.array(
  z.object({
    id: z.string(),
    help: z.string(),
    nodes: z.array(z.object({ html: z.string(), failureSummary: z.string().default("") })),
  }),
);
/** The criteria of WCAG 2.2, A and AA, and the practices that axe recommends. */
const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Fails with all that axe finds in the page as it is now. */
export async function assertAccessible(page: Page): Promise<void> {
  // Evaluated by the browser itself: the page's policy allows no such script, and stays in force.
  await page.evaluate(`${axe.source}; void 0`);
  const options = JSON.stringify({ runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
  const found: unknown = await page.evaluate(`axe.run(${options}).then(({ violations }) => violations)`);
  const lines = Violations.parse(found).flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${help}\n  ${html.slice(0, 200)}\n  ${failureSummary}`),
  );
  assert.deepEqual(lines, []);
}

/** Fails if the page is wider than its window. */
export async function assertNoSidewaysScroll(page: Page): Promise<void> {
  const widths: unknown = await page.evaluate(
    `[document.documentElement.scrollWidth, document.documentElement.clientWidth]`,
  );
  const [content, window] = z.tuple([z.number(), z.number()]).parse(widths);
  assert.ok(content <= window, `${content} px of content in a window of ${window} px`);
}
