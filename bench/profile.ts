/** Owns the reading of processor profiles: which functions a thread's time went to, the dearest first. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const root = fileURLToPath(new URL("..", import.meta.url));
const longest = 25;

const Profile = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

/** Returns what makes Node write the profile of each thread into `folder` when it ends. */
export function toProfileOptions(folder: string | undefined): readonly string[] {
  return folder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${folder}`];
}

/** Returns, for each profile in `folder`, the functions in which most of its busy time was spent themselves. */
export function describeProfiles(folder: string): string {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".cpuprofile"))
    .map((name) => `${name}\n${describe(join(folder, name))}`)
    .join("\n");
}

function describe(file: string): string {
  const { nodes, samples, timeDeltas } = Profile.parse(JSON.parse(readFileSync(file, "utf8")));
  const names = new Map(nodes.map(({ id, callFrame }) => [id, toName(callFrame)]));
  const times = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? "";
    if (name !== "(idle)") times.set(name, (times.get(name) ?? 0) + (timeDeltas[index] ?? 0));
  }
  const busy = Array.from(times.values()).reduce((sum, time) => sum + time, 0);
  const lines = Array.from(times)
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, longest)
    .map(([name, time]) => `${((time / busy) * 100).toFixed(1).padStart(5)} %  ${name}`);
  return `${(busy / 1e6).toFixed(1)} s busy\n${lines.join("\n")}\n`;
}

function toName({
  functionName,
  url,
  lineNumber,
}: z.infer<typeof Profile>["nodes"][number]["callFrame"]): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  const path = url
    .replace("file://", "")
    .replace(root, "")
    .replace(/^.*node_modules\//, "");
  return `${name} ${path}:${lineNumber + 1}`;
}
