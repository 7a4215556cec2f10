/** Clean-up of processes, folders and servers, whether the bench ends, fails or is interrupted. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const steps = new Set<() => Promise<unknown>>();

/** Registers `step` for the end of the bench; the returned function runs it earlier. */
export function atEnd(step: () => Promise<unknown>): () => Promise<void> {
  steps.add(step);
  return async () => {
    if (steps.delete(step)) await step();
  };
}

/** Runs all remaining steps, newest first, including those added meanwhile. */
export async function cleanUp(): Promise<void> {
  for (;;) {
    const step = Array.from(steps).at(-1);
    if (step === undefined) return;
    steps.delete(step);
    await step().catch((error: unknown) => console.error(error));
  }
}

/** Resolves when the bench is interrupted. */
export async function nextSignal(): Promise<"interrupted"> {
  const { promise, resolve } = Promise.withResolvers<"interrupted">();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => resolve("interrupted"));
  return await promise;
}

/** Creates a folder that is removed at the end. */
export async function makeTemporaryFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "foreword-bench-"));
  return { path, remove: atEnd(() => rm(path, { recursive: true, force: true })) };
}

/** Runs `main` with the command line, cleans up, and ends the process with its code, or 2 if it fails. */
export async function runMain(main: (args: readonly string[]) => Promise<number>): Promise<never> {
  let code = 2;
  try {
    code = await main(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
  await cleanUp();
  // Work that an interrupt left unfinished would keep the process alive.
  process.exit(code);
}
