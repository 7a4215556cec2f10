/** All scenarios, in the order in which they run and appear in the results. */
import type { Context } from "./context.ts";
import { runHistory } from "./history.ts";
import { runLoopDelay } from "./loop-delay.ts";
import type { Row } from "../report/row.ts";
import { runStreams } from "./run-streams.ts";
import { runStart } from "./start.ts";
import { listStreamScenarios, streamScenarioNames } from "./stream-scenarios.ts";
import { runTurns } from "./turns.ts";
import { runWorkers } from "./workers.ts";

/** A named measurement. */
export interface Scenario {
  readonly name: string;
  /** Resolves with its figures. @throws Error if a response body was wrong. */
  run(context: Context): Promise<readonly Row[]>;
}

async function runNamed(name: string, context: Context): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const scenario of listStreamScenarios(context))
    if (scenario.name === name) rows.push(...(await runStreams(context, scenario)));
  return rows;
}

export const scenarios: readonly Scenario[] = [
  ...streamScenarioNames.map((name) => ({ name, run: (context: Context) => runNamed(name, context) })),
  { name: "turns", run: runTurns },
  { name: "history", run: runHistory },
  { name: "start", run: runStart },
  { name: "loop-delay", run: runLoopDelay },
  { name: "workers", run: runWorkers },
];
