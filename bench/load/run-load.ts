/** Runs the load generator against a server and measures the server's processor time and memory. */
import { LoadResult, type Job } from "./job.ts";
import { readProcessorTime, readResidentKib } from "./process-usage.ts";
import { Program, toPath } from "../program.ts";

const sampleMs = 200;

/** Result of a run and its cost for the server. */
export interface Usage {
  readonly result: LoadResult;
  /** Processor time of the whole server, of its main thread, and of its worker threads. */
  readonly allMs: number;
  readonly mainMs: number;
  readonly workersMs: number;
  /** Peak memory growth. */
  readonly growthKib: number;
}

/** Runs `job`; resolves with its result. */
export async function runJob(job: Job, prefix: readonly string[] = []): Promise<LoadResult> {
  const program = new Program({ args: [toPath("load/load.ts"), JSON.stringify(job)], prefix });
  const result = await program.tell(LoadResult);
  await program.kill();
  return result;
}

/** Runs `job` on the server whose process is `pid`. @throws Error for a wrong body or a refused request. */
export async function runLoad(job: Job, pid: number, prefix: readonly string[] = []): Promise<Usage> {
  const beforeKib = readResidentKib(pid);
  let mostKib = beforeKib;
  const sampling = setInterval(() => (mostKib = Math.max(mostKib, readResidentKib(pid))), sampleMs);
  const before = readProcessorTime(pid);
  const result = await runJob(job, prefix);
  const after = readProcessorTime(pid);
  clearInterval(sampling);
  check(result);
  return {
    result,
    allMs: after.allMs - before.allMs,
    mainMs: after.mainMs - before.mainMs,
    workersMs: after.workersMs - before.workersMs,
    growthKib: mostKib - beforeKib,
  };
}

/** Figures of wrong bodies mean nothing. */
function check({ wrong, refused, refusal, streams }: LoadResult): void {
  if (wrong > 0) throw new Error(`${wrong} of ${streams} bodies differ from the script`);
  if (refused > 0) throw new Error(`${refused} of ${streams} requests were refused: ${refusal ?? ""}`);
}
