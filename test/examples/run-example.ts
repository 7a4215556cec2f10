/** Runs the programs of `examples/` as their READMEs say. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RunningCommand } from "../command/run-command.ts";
import { promptOf } from "../support/clients/ui-chat.ts";
import type { ScriptedModel } from "../support/model/scripted-model.ts";

/** The folder of all examples. */
export const examplesFolder = fileURLToPath(new URL("../../examples", import.meta.url));

/** The result of a program. */
export interface ExampleResult {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `command` in the folder of an example to its end, with a server at `url`. */
export async function runExample(
  folder: string,
  [program, ...args]: readonly [string, ...string[]],
  url: string,
): Promise<ExampleResult> {
  const variables = { FOREWORD_URL: url, FOREWORD_MODEL: "scripted", NO_COLOR: "1" };
  const running = new RunningCommand(args, variables, join(examplesFolder, folder), [program]);
  const code = await running.exit();
  return { code, stdout: running.stdout, stderr: running.stderr };
}

/** Asserts that a program has shown two runs of a thread, and that the model got the first for the second. */
export function assertTwoRuns(stdout: string, model: ScriptedModel): void {
  assert.equal(stdout, "plan: - Think\nanswer: Hello.\n".repeat(2));
  assert.deepEqual(promptOf(model.calls.at(-1)), [
    ["user", "Hi"],
    ["assistant", "Hello."],
    ["user", "Go on."],
  ]);
}
