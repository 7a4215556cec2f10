/** Reads the alert rules in deploy/prometheus, each of which has its expression in one line. */
import { readFileSync } from "node:fs";

const file = new URL("../../../deploy/prometheus/alerts.yaml", import.meta.url);

/** An alert rule. */
export interface Alert {
  readonly name: string;
  readonly expr: string;
  /** The labels that its sentences show. */
  readonly shown: readonly string[];
  /** The section of the docs that it names: a path and an anchor. */
  readonly runbook: string;
}

/** Returns all rules. */
export function readAlerts(): readonly Alert[] {
  const rules = readFileSync(file, "utf8")
    .split(/^ +- alert: /m)
    .slice(1);
  return rules.map((rule) => {
    const [name = ""] = rule.split("\n");
    const [, expr = ""] = /^ +expr: (?![>|"'])(.+)$/m.exec(rule) ?? [];
    const [, runbook = ""] = /^ +runbook_url: (\S+)$/m.exec(rule) ?? [];
    const shown = Array.from(rule.matchAll(/\$labels\.(\w+)/g), ([, label = ""]) => label);
    return { name, expr, shown, runbook };
  });
}
