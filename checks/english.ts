/** Counts limited words in comments and docs, and finds banned phrases and lines that are too wide. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { readProse, type Prose } from "./prose.ts";

/** The width of comments, like that of code. */
const maxColumns = 110;
/** The most uses in 1,000 words. */
const budget = { what: 5, nobody: 0.5 } as const;

const limited = {
  what: /\bwhat(?:['’]s)?\b/gi,
  nobody: /\b(?:nobody|somebody|whoever|whomever)(?:['’]s)?\b/gi,
} as const;
const banned =
  /\b(?:mend(?:s|ed|ing)?|anew|(?:is|are|was|were|be|been|being)\s+(?:not\s+|never\s+|only\s+)?had|(?:say|says|said|saying)(?:\s+it)?\s+aloud)\b/gi;
const word = /[\p{L}\p{N}][\p{L}\p{N}'’_-]*/gu;

/** A place that counts against the budget, is banned, or is too wide. */
export interface Offence {
  readonly rule: "what" | "nobody" | "banned" | "width";
  readonly line: number;
}

/** The count of one file. */
export interface FileCount {
  readonly file: string;
  readonly lines: readonly string[];
  /** Words of its comments, or of its docs. */
  readonly words: number;
  readonly offences: readonly Offence[];
}

/** The total of all comments, or of all docs. */
export interface Total {
  readonly words: number;
  readonly what: number;
  readonly nobody: number;
  readonly banned: number;
  readonly width: number;
}

/** Counts each file below `root` that has prose: TypeScript, SQL, Markdown and `.env.example`. */
export function countEnglish(root: string): FileCount[] {
  return listFiles(root).map((file) => countFile(file, readFileSync(join(root, file), "utf8")));
}

/** Adds up the counts of `files`. */
export function addUp(files: readonly FileCount[]): Total {
  const count = (rule: Offence["rule"]): number =>
    files.reduce((sum, { offences }) => sum + offences.filter((offence) => offence.rule === rule).length, 0);
  return {
    words: files.reduce((sum, { words }) => sum + words, 0),
    what: count("what"),
    nobody: count("nobody"),
    banned: count("banned"),
    width: count("width"),
  };
}

/** Whether a total is within the budget, without a banned phrase or a wide line. */
export function isWithinBudget(total: Total): boolean {
  return (
    perThousand(total.what, total.words) <= budget.what &&
    perThousand(total.nobody, total.words) <= budget.nobody &&
    total.banned === 0 &&
    total.width === 0
  );
}

/** Returns the frequency of `count` in 1,000 of `words`. */
export function perThousand(count: number, words: number): number {
  return words === 0 ? 0 : (1000 * count) / words;
}

/** Lists the files to read, without installed, built, hidden and recorded ones. */
function listFiles(root: string): string[] {
  const names = readdirSync(root).filter(
    (name) => !name.startsWith(".") && !/^(?:node_modules|dist)$/.test(name),
  );
  const files = names.flatMap((name) => {
    if (!statSync(join(root, name)).isDirectory()) return [name];
    return readdirSync(join(root, name), { recursive: true, encoding: "utf8" }).map((file) =>
      join(name, file),
    );
  });
  const isBuilt = names.includes("sql");
  return [".env.example", ...files]
    .filter((file) => /\.(?:ts|sql|md|env\.example)$/.test(file) && !/\/(?:node_modules|dist)\//.test(file))
    .filter(
      (file) =>
        !(isBuilt && file === "supabase_schema.sql") && !file.startsWith(join("test", "fixtures", "model")),
    )
    .toSorted();
}

function countFile(file: string, text: string): FileCount {
  const lines = text.split("\n");
  const prose = readProse(file, text);
  const counted = prose.filter(({ kind }) => kind !== "string");
  const offences = [
    ...counted.flatMap((part) => find("what", limited.what, part)),
    ...counted.flatMap((part) => find("nobody", limited.nobody, part)),
    ...prose.flatMap((part) => find("banned", banned, part)),
    ...counted.filter(({ kind }) => kind === "comment").flatMap((part) => findWide(part, lines)),
  ];
  return {
    file,
    lines,
    words: counted.reduce((sum, part) => sum + Array.from(part.text.matchAll(word)).length, 0),
    offences: offences.toSorted((one, other) => one.line - other.line),
  };
}

function find(rule: Offence["rule"], pattern: RegExp, { text, line }: Prose): Offence[] {
  return Array.from(text.matchAll(pattern), ({ index }) => ({
    rule,
    line: line + text.slice(0, index).split("\n").length - 1,
  }));
}

/** Finds the lines of a comment that could be wrapped: an address can't. */
function findWide({ text, line }: Prose, lines: readonly string[]): Offence[] {
  return text.split("\n").flatMap((_, index) => {
    const whole = lines[line + index - 1] ?? "";
    const isWide = whole.length > maxColumns && !/https?:\/\/\S+$/.test(whole);
    return isWide ? [{ rule: "width", line: line + index }] : [];
  });
}
