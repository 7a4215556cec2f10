/**
 * Lighthouse's scores of the page, and axe on the API docs. Lighthouse is installed from npm in a
 * temporary folder.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { z } from "zod";
import { RunningCommand } from "../command/run-command.ts";
import { makeFolder } from "../support/apps/start-app.ts";
import { useModel, useResource } from "../support/apps/use-app.ts";
import { assertAccessible } from "../support/browser/accessibility.ts";
import { executablePath, withoutBrowser } from "../support/browser/chromium.ts";
import { usePage } from "../support/browser/use-page.ts";

const version = "13.5.0";
const leastScore = 0.95;
/** How often a page is measured: a machine with other work lowers a score, and nothing raises it. */
const attempts = 3;
const categories = ["performance", "accessibility", "best-practices", "seo"];

const Report = z.object({
  categories: z.record(
    z.string(),
    z.object({ score: z.number(), auditRefs: z.array(z.object({ id: z.string(), weight: z.number() })) }),
  ),
  audits: z.record(
    z.string(),
    z.object({ score: z.number().nullable(), title: z.string(), displayValue: z.string().optional() }),
  ),
});
type Report = z.infer<typeof Report>;

/** npm's settings, which the environment may hold. */
const environment = {
  ...Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  ),
  CHROME_PATH: executablePath,
};

describe("the page", { timeout: 900_000, skip: withoutBrowser }, () => {
  const { app, visit } = usePage(useModel());
  let folder = "";
  useResource(async (closing) => {
    folder = closing.adopt(await makeFolder(), (made) => made.remove()).path;
  });

  before(async () => {
    const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--prefix", folder];
    const install = new RunningCommand(
      ["install", ...options, `lighthouse@${version}`],
      environment,
      folder,
      ["npm"],
    );
    assert.equal(await install.exit(), 0, install.stderr);
  });

  /** Measures the page with Lighthouse's defaults for a phone, or for a desktop. */
  async function measure(form: "phone" | "desktop"): Promise<Report> {
    const file = join(folder, `${form}.json`);
    const command = new RunningCommand(
      [
        join(folder, "node_modules/lighthouse/cli/index.js"),
        app.url,
        "--quiet",
        "--output=json",
        `--output-path=${file}`,
        "--chrome-flags=--headless=new --no-sandbox",
        `--only-categories=${categories.join(",")}`,
        ...(form === "desktop" ? ["--preset=desktop"] : []),
      ],
      environment,
      folder,
      [process.execPath],
    );
    assert.equal(await command.exit(), 0, command.stderr);
    return Report.parse(JSON.parse(await readFile(file, "utf8")));
  }

  for (const form of ["phone", "desktop"] as const)
    test(`is good in all that Lighthouse measures on a ${form}`, async (context) => {
      let faults: readonly string[] = [];
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        const report = await measure(form);
        for (const [name, { score }] of Object.entries(report.categories))
          context.diagnostic(`${name}: ${Math.round(score * 100)}`);
        faults = toFaults(report);
        if (faults.length === 0) return;
      }
      assert.deepEqual(faults, []);
    });

  for (const colorScheme of ["light", "dark"] as const)
    test(`has API docs in which axe finds nothing, ${colorScheme}`, async () => {
      await assertAccessible(await (await visit({ colorScheme })).open("/docs"));
    });
});

/** Returns the categories with a score that is too low, and what lowers it. */
function toFaults(report: Report): readonly string[] {
  assert.deepEqual(Object.keys(report.categories).toSorted(), categories.toSorted());
  return Object.entries(report.categories).flatMap(([name, { score, auditRefs }]) => {
    if (score >= leastScore) return [];
    const audits = auditRefs.flatMap(({ id, weight }) => {
      const audit = report.audits[id];
      const isFault = audit !== undefined && weight > 0 && audit.score !== null && audit.score < leastScore;
      return isFault ? [`  ${id} ${audit.score} ${audit.displayValue ?? audit.title}`] : [];
    });
    return [`${name}: ${score}`, ...audits];
  });
}
