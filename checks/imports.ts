/** Reads imports from the text of source files. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** An import or a re-export. */
export interface Import {
  /** The importing file, relative to the root. */
  readonly file: string;
  /** The specifier. */
  readonly target: string;
  readonly isType: boolean;
  /** Whether it is a dynamic import. */
  readonly isLate: boolean;
}

/** Lists the TypeScript files below `root`. */
export function listSources(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .toSorted();
}

/** Reads the imports of `files` below `root`. */
export function readImports(root: string, files: readonly string[]): Import[] {
  return files.flatMap((file) => {
    const text = readFileSync(join(root, file), "utf8");
    return Array.from(
      text.matchAll(
        /^(?:import|export)\s(?<clause>[^;]*?)from\s+"(?<target>[^"]+)";$|\bimport\("(?<late>[^"]+)"\)/gm,
      ),
      ({ groups }) => ({
        file,
        target: groups?.["target"] ?? groups?.["late"] ?? "",
        isType: (groups?.["clause"] ?? "").startsWith("type "),
        isLate: groups?.["late"] !== undefined,
      }),
    );
  });
}

/** Finds groups of files that import each other in a circle; type imports count, too. */
export function findCircles(imports: readonly Import[]): string[][] {
  const targets = groupOwn(imports);
  const reached = new Map(Array.from(targets.keys(), (file) => [file, reach(file, targets)]));
  const circles = new Map<string, string[]>();
  for (const [file, others] of reached) {
    const members = Array.from(others).filter((other) => reached.get(other)?.has(file));
    if (members.length > 0) circles.set(members.toSorted().join(), members.toSorted());
  }
  return Array.from(circles.values());
}

/** Returns `start` and the files that it imports, directly or through others, as `imports` tell. */
export function listLoaded(start: string, imports: readonly Import[]): ReadonlySet<string> {
  return reach(start, groupOwn(imports)).add(start);
}

/** Returns the imports of files, not of packages, by the importing file. */
function groupOwn(imports: readonly Import[]): Map<string, Import[]> {
  return Map.groupBy(
    imports.filter(({ target }) => target.startsWith(".")),
    ({ file }) => file,
  );
}

/** Returns the files that `start` imports, directly or through others. */
function reach(start: string, targets: ReadonlyMap<string, readonly Import[]>): Set<string> {
  const reached = new Set<string>();
  const waiting = [start];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    for (const { target } of targets.get(file) ?? []) {
      const other = join(dirname(file), target);
      if (reached.has(other)) continue;
      reached.add(other);
      waiting.push(other);
    }
  }
  return reached;
}
