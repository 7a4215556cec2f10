/** Reads the files that deploy Foreword: the Dockerfile, Compose files and Kubernetes manifests. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

export const root = join(import.meta.dirname, "../..");

/** Returns the text of a file of the project. */
export const readText = (path: string): string => readFileSync(join(root, path), "utf8");

/** An instruction of a Dockerfile, as `{ name: "COPY", value: "src src" }`. */
interface Instruction {
  readonly name: string;
  readonly value: string;
}

/** Returns the instructions of each stage of the Dockerfile, those before the first stage left out. */
export function readStages(): readonly (readonly Instruction[])[] {
  const lines = readText("Dockerfile")
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\\\n/g, " ")
    .split("\n");
  const stages: Instruction[][] = [];
  for (const line of lines) {
    const [, name = "", value = ""] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === "FROM") stages.push([]);
    if (name !== "") stages.at(-1)?.push({ name, value });
  }
  return stages;
}

/** Returns the values of an instruction in the image, in the last stage. */
export const readInstructions = (name: string): readonly string[] =>
  (readStages().at(-1) ?? []).flatMap((instruction) =>
    instruction.name === name ? [instruction.value] : [],
  );

/** Returns the variables that the image sets. */
export const readImageVariables = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readInstructions("ENV").flatMap((value) =>
      Array.from(value.matchAll(/(\w+)=(\S+)/g), ([, name = "", text = ""]) => [name, text]),
    ),
  );

/** Returns the documents of a YAML file. */
export function readYaml(path: string): readonly unknown[] {
  return parseAllDocuments(readText(path), { merge: true }).map((document) => {
    for (const problem of [...document.errors, ...document.warnings]) throw problem;
    return document.toJS();
  });
}

/** Returns `document` with one of its fields under another name, to see that a check finds that. */
export function misspell(document: unknown, name: string): unknown {
  const text = JSON.stringify(document);
  const misspelt = text.replace(`"${name}":`, `"${name}z":`);
  if (misspelt === text) throw new Error(`there is no ${name}`);
  return JSON.parse(misspelt);
}
