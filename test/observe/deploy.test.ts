/** The dashboard and the alert rules in deploy/: each names only metrics and labels that exist. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { z } from "zod";
import { readAlerts } from "../support/docs/alerts.ts";
import { toAnchors } from "../support/docs/anchors.ts";
import { findMetric, isMetricName, metricNames } from "../../src/observe/metrics/metric-table.ts";

const folder = join(import.meta.dirname, "../../deploy");
/** Labels that Prometheus adds to each target. */
const targetLabels = ["job", "instance"];

const Dashboard = z.object({
  panels: z.array(
    z.object({
      title: z.string(),
      targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).default([]),
    }),
  ),
});

/** A query, and the labels that its legend or its sentences show. */
interface Query {
  readonly expr: string;
  readonly shown: readonly string[];
}

function readDashboard(): readonly Query[] {
  const { panels } = Dashboard.parse(JSON.parse(readFileSync(join(folder, "grafana/foreword.json"), "utf8")));
  return panels
    .flatMap(({ targets }) => targets)
    .map(({ expr, legendFormat }) => ({
      expr,
      shown: Array.from(legendFormat.matchAll(/\{\{\s*(\w+)\s*\}\}/g), ([, label = ""]) => label),
    }));
}

/** Returns the metrics in a query with all labels that their series have. */
function findMetrics(expr: string): ReadonlyMap<string, readonly string[]> {
  const words = expr.replaceAll(/"[^"]*"/g, '""').match(/\b(?:foreword|process|nodejs|up)(?:_\w+)?\b/g) ?? [];
  return new Map(
    words.map((word) => {
      if (word === "up") return [word, targetLabels] as const;
      const [, base = "", part = ""] = /^(\w+?)(_bucket|_sum|_count)?$/.exec(word) ?? [];
      assert.ok(isMetricName(base), `${word} in ${expr}`);
      const { type, labels } = findMetric(base);
      assert.equal(part !== "", type === "histogram", `${word} in ${expr}`);
      return [word, [...labels, ...targetLabels, ...(part === "_bucket" ? ["le"] : [])]] as const;
    }),
  );
}

function check({ expr, shown }: Query): readonly string[] {
  const metrics = findMetrics(expr);
  assert.ok(metrics.size > 0, expr);
  for (const [, name = "", matchers = ""] of expr.matchAll(/(\w+)\{([^}]*)\}/g))
    for (const [, label = ""] of matchers.matchAll(/(\w+)\s*[=!]/g))
      assert.ok(metrics.get(name)?.includes(label), `${name} has no label ${label}: ${expr}`);
  const grouped = Array.from(expr.matchAll(/\bby \(([^)]*)\)/g), ([, list = ""]) => list.split(/,\s*/));
  for (const labels of grouped)
    for (const label of labels)
      for (const known of metrics.values()) assert.ok(known.includes(label), `no label ${label}: ${expr}`);
  const isSummed = /\b(?:sum|count)\s*(?:by \(|\()/.test(expr);
  for (const label of shown) {
    const isThere = isSummed
      ? grouped.some((labels) => labels.includes(label))
      : Array.from(metrics.values()).every((known) => known.includes(label));
    assert.ok(isThere, `shows ${label}, which the result of ${expr} does not have`);
  }
  return Array.from(metrics.keys(), (name) => name.replace(/_(?:bucket|sum|count)$/, ""));
}

describe("deploy/", () => {
  test("has a dashboard of metrics that exist, with their labels, and shows all of them", () => {
    const used = new Set(readDashboard().flatMap((query) => check(query)));
    const hidden = ["nodejs_heap_size_total_bytes", "process_start_time_seconds"];
    assert.deepEqual(
      metricNames.filter((name) => !used.has(name)),
      hidden,
    );
  });

  test("has alerts on metrics that exist, with their labels", () => {
    const alerts = readAlerts();
    assert.ok(alerts.length >= 15);
    for (const query of alerts) check(query);
  });

  test("has alerts that each name a section of the docs that exists", () => {
    for (const { name, runbook } of readAlerts()) {
      const [page = "", anchor = ""] = runbook.split("#");
      assert.match(page, /^docs\/\w+\.md$/, name);
      assert.ok(toAnchors(page).has(anchor), `${name} names ${runbook}`);
    }
  });

  test("is refused with a metric, a label or a legend that does not exist", () => {
    for (const expr of [
      "foreword_turns",
      "foreword_turn_duration_seconds",
      'foreword_turns_total{user="x"}',
      "sum by (user) (foreword_turns_total)",
    ])
      assert.throws(() => check({ expr, shown: [] }), assert.AssertionError, expr);
    const query = { expr: "sum by (model) (foreword_turns_total)", shown: ["wire"] };
    assert.throws(() => check(query), assert.AssertionError);
  });
});
