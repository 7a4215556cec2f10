/** Reads processor profiles: the functions and files in which each thread spent most of its time. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const root = fileURLToPath(new URL("../..", import.meta.url));
const longest = 25;

const Profile = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
    }),
  ),
  /** On the system's monotonic clock, in microseconds. */
  startTime: z.number(),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

/** Returns the options that make Node write each thread's profile into `folder` when it ends. */
export function toProfileOptions(folder: string | undefined): readonly string[] {
  return folder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${folder}`];
}

/** A measured time span, without start and warm-up, in microseconds on the system's monotonic clock. */
interface Span {
  readonly fromUs: number;
  readonly toUs: number;
}

const spans: Span[] = [];

function readClockUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** Runs `work` and includes its time in the profiles. */
export async function profiled<Result>(work: () => Promise<Result>): Promise<Result> {
  const fromUs = readClockUs();
  const result = await work();
  spans.push({ fromUs, toUs: readClockUs() });
  return result;
}

/** Returns, for each profile in `folder`, the functions and files with the most busy time. */
export function describeProfiles(folder: string): string {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".cpuprofile"))
    .map((name) => `\n${name}\n${describe(join(folder, name))}`)
    .join("");
}

function describe(file: string): string {
  const profile = Profile.parse(JSON.parse(readFileSync(file, "utf8")));
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const functions = new Map<string, number>();
  const files = new Map<string, number>();
  let nowUs = profile.startTime;
  let busyUs = 0;
  for (const [index, id] of profile.samples.entries()) {
    const timeUs = profile.timeDeltas[index] ?? 0;
    nowUs += timeUs;
    const frame = frames.get(id);
    const isMeasured = spans.some(({ fromUs, toUs }) => nowUs >= fromUs && nowUs <= toUs);
    if (frame === undefined || frame.functionName === "(idle)" || !isMeasured) continue;
    busyUs += timeUs;
    add(functions, toFunction(frame), timeUs);
    add(files, toFile(frame), timeUs);
  }
  const list = (times: ReadonlyMap<string, number>): string => toList(times, busyUs);
  return `${(busyUs / 1e6).toFixed(1)} s busy; by function:\n${list(functions)}\nby file:\n${list(files)}\n`;
}

function add(times: Map<string, number>, name: string, timeUs: number): void {
  times.set(name, (times.get(name) ?? 0) + timeUs);
}

function toList(times: ReadonlyMap<string, number>, busyUs: number): string {
  return Array.from(times)
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, longest)
    .map(([name, timeUs]) => `${((timeUs / busyUs) * 100).toFixed(1).padStart(5)} %  ${name}`)
    .join("\n");
}

type Frame = z.infer<typeof Profile>["nodes"][number]["callFrame"];

function toFunction(frame: Frame): string {
  const name = frame.functionName === "" ? "(anonymous)" : frame.functionName;
  return frame.url === "" ? name : `${name} ${toPath(frame.url)}:${frame.lineNumber + 1}`;
}

/** A package is named as a whole. Frames without a file are native functions of Node or V8. */
function toFile({ url, functionName }: Frame): string {
  if (url === "") return functionName.startsWith("(") ? functionName : "native functions of Node and V8";
  if (url.startsWith("wasm:")) return "WebAssembly";
  const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url) ?? [];
  return name ?? toPath(url);
}

function toPath(url: string): string {
  return url
    .replace("file://", "")
    .replace(root, "")
    .replace(/^.*node_modules\//, "");
}
