/** Reads the incidents of docs/operations.md: their signs, their commands, and the output that they quote. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const docs = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");

/** Commands of a section, and the lines of their output that it quotes. */
export interface Step {
  readonly commands: string;
  readonly output: readonly string[];
}

/** A section. */
export interface Incident {
  readonly anchor: string;
  /** Its table: what shows the incident. */
  readonly signs: ReadonlyMap<string, string>;
  readonly steps: readonly Step[];
}

/** Returns the section below a heading, up to the next heading of the same level or above. */
export function readSection(heading: string): string {
  const start = docs.indexOf(`\n${heading}\n`);
  assert.ok(start >= 0, heading);
  const [level = ""] = /^#+/.exec(heading) ?? [];
  const end = docs.slice(start + 1).search(new RegExp(`\n#{2,${level.length}} `));
  return end < 0 ? docs.slice(start) : docs.slice(start, start + 1 + end);
}

/** Returns the incident of a heading. */
export function readIncident(title: string): Incident {
  const section = readSection(`### ${title}`);
  const rows = Array.from(
    section.matchAll(/^\| (log|`GET \/readyz`|metric|alert|users) \| (.*) \|$/gm),
    ([, sign = "", text = ""]) => [sign.replaceAll("`", ""), text] as const,
  );
  return { anchor: toAnchor(title), signs: new Map(rows), steps: readSteps(section) };
}

/** The titles of all incidents. */
export function listIncidents(): readonly string[] {
  return Array.from(readSection("## Incidents").matchAll(/^### (.*)$/gm), ([, title = ""]) => title);
}

/** Returns the commands in a section, each with the block of output that follows it. */
export function readSteps(section: string): readonly Step[] {
  const blocks = section.matchAll(/^```sh\n([^]*?)^```(?:\n\n```\n([^]*?)^```)?$/gm);
  return Array.from(blocks, ([, commands = "", output = ""]) => ({
    commands,
    output: output.split("\n").filter((line) => line !== ""),
  }));
}

/** Returns the words in backticks. */
export function readQuoted(text = ""): readonly string[] {
  return Array.from(text.matchAll(/`([^`]+)`/g), ([, word = ""]) => word);
}

/** Asserts that `output` has the quoted lines in their order, among others; `…` stands for any characters. */
export function assertShows(output: string, expected: readonly string[]): void {
  const lines = output.split("\n");
  let next = 0;
  for (const quoted of expected) {
    const pattern = quoted.split("…").map(escape).join(".*");
    const found = lines.findIndex((line, index) => index >= next && new RegExp(`^${pattern}$`).test(line));
    assert.ok(found >= 0, `no line like\n${quoted}\nin\n${lines.slice(next).join("\n")}`);
    next = found + 1;
  }
}

function toAnchor(title: string): string {
  return title.toLowerCase().replaceAll(" ", "-");
}

function escape(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}
