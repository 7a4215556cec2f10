/** All scenarios, in the order in which they run and appear in the results. */
import { runBody } from "./body.ts";
import type { Context } from "./context.ts";
import { runHistory } from "./history.ts";
import { runLoopDelay } from "./loop-delay.ts";
import type { Row } from "../report/row.ts";
import { runStreams } from "./run-streams.ts";
import { runSearch } from "./search.ts";
import { runStartAfterKill } from "./start-after-kill.ts";
import { runStart } from "./start.ts";
import { listStreamScenarios, streamScenarios } from "./stream-scenarios.ts";
import { runTurns } from "./turns.ts";
import { runWorkers } from "./workers.ts";

/** A named measurement. */
export interface Scenario {
  readonly name: string;
  /** A few words for the help. */
  readonly about: string;
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
  ...Object.entries(streamScenarios).map(([name, about]) => ({
    name,
    about,
    run: (context: Context) => runNamed(name, context),
  })),
  { name: "turns", about: "16 clients, short turns one after another, on every store", run: runTurns },
  { name: "history", about: "one more turn in conversations of up to 10,000 messages", run: runHistory },
  { name: "body", about: "turns with a body of 20 MiB", run: runBody },
  { name: "search", about: "a word in 800,000 messages of others; takes minutes to fill", run: runSearch },
  { name: "start", about: "from a second `npm start` to the first turn", run: runStart },
  {
    name: "start-after-kill",
    about: "from a start to the first turn, after SIGKILL and 10,000 turns",
    run: runStartAfterKill,
  },
  { name: "loop-delay", about: "the longest delay of the event loop at rated load", run: runLoopDelay },
  { name: "workers", about: "two server processes beside one", run: runWorkers },
];
