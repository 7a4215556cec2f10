/** `foreword doctor` in the test's own process: the start of a command takes longer than its checks. */
import { doctor } from "../../src/command/doctor.ts";
import { parseConfig } from "../../src/config/config.ts";

/** Resolves with the exit code and the output for `variables` alone. */
export async function runDoctor(
  variables: Readonly<Record<string, string>>,
): Promise<{ readonly code: number; readonly output: string }> {
  const lines: string[] = [];
  const code = await doctor(
    () => parseConfig(variables),
    (line) => void lines.push(`${line}\n`),
  );
  return { code, output: lines.join("") };
}
