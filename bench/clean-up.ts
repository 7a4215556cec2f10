/** Owns what must not outlive the bench: its processes, folders and servers, whether it ends, fails or is interrupted. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const steps = new Set<() => Promise<unknown>>();

/** Has `step` done at the end, unless it is done before by what this returns. */
export function atEnd(step: () => Promise<unknown>): () => Promise<void> {
  steps.add(step);
  return async () => {
    if (steps.delete(step)) await step();
  };
}

/** Does all that is left, the newest first, and what is added meanwhile. */
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

/** Makes a folder that is gone at the end. */
export async function makeTemporaryFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "foreword-bench-"));
  return { path, remove: atEnd(() => rm(path, { recursive: true, force: true })) };
}
