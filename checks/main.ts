/** Prints the figures of the code base, or, given files or folders, their lines that need rewriting. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { findDuplicates } from "./duplicates.ts";
import { addUp, countEnglish, isWithinBudget, perThousand, type FileCount, type Total } from "./english.ts";
import { findCircles, listSources, readImports } from "./imports.ts";

const worstFiles = 10;
/** The English at 626a078, before it was rewritten. */
const before: Readonly<Record<string, string>> = {
  comments: "at 626a078 17.8, 2.0, 50 and 952",
  docs: "at 626a078 7.3, 1.0, 12 and none",
};
/** A third of the 42 pairs of e7605a3. */
const maxDuplicates = 14;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { root: { type: "string", default: join(import.meta.dirname, "..") } },
});
const counts = countEnglish(values.root);
if (positionals.length > 0) printLines(positionals);
else {
  printStructure();
  await printDuplicates();
  printEnglish();
}

function printStructure(): void {
  const source = join(values.root, "src");
  const files = listSources(source);
  const folders = Object.entries(Object.groupBy(files, (file) => dirname(file)))
    .map(([folder, { length } = []]) => ({ folder, length }))
    .toSorted((one, other) => other.length - one.length);
  const lengths = files
    .map((file) => ({ file, length: readFileSync(join(source, file), "utf8").split("\n").length - 1 }))
    .toSorted((one, other) => other.length - one.length);
  console.log(`files in src/       ${files.length}`);
  console.log(
    `largest folders     ${folders
      .slice(0, 3)
      .map(({ folder, length }) => `${folder} ${length}`)
      .join(", ")}`,
  );
  console.log(
    `longest files       ${lengths
      .slice(0, 3)
      .map(({ file, length }) => `${file} ${length}`)
      .join(", ")}`,
  );
  const circles = findCircles(readImports(source, files));
  console.log(
    `circles             ${circles.length}${circles.map((circle) => `\n  ${circle.join(" ")}`).join("")}`,
  );
}

async function printDuplicates(): Promise<void> {
  const duplicates = await findDuplicates(values.root);
  if (duplicates === undefined) {
    console.log("duplicate pairs     not counted: run npm ci, which installs jscpd");
    if (process.env["CI"] !== undefined) process.exitCode = 1;
    return;
  }
  console.log(`duplicate pairs     ${duplicates.length} (≤ ${maxDuplicates})`);
  if (duplicates.length > maxDuplicates) process.exitCode = 1;
  for (const { firstFile, secondFile, lines } of duplicates)
    console.log(
      `  ${lines} lines: ${firstFile.name}:${firstFile.start} ${secondFile.name}:${secondFile.start}`,
    );
}

function isDocs({ file }: FileCount): boolean {
  return file.endsWith(".md");
}

function printEnglish(): void {
  const totals = {
    comments: addUp(counts.filter((count) => !isDocs(count))),
    docs: addUp(counts.filter(isDocs)),
  };
  for (const [name, total] of Object.entries(totals)) console.log(toLine(name, total));
  const worst = counts
    .toSorted((one, other) => other.offences.length - one.offences.length)
    .slice(0, worstFiles);
  if (worst[0]?.offences.length !== 0)
    console.log("most to rewrite (npm run house -- FILE prints the lines):");
  for (const { file, offences } of worst)
    if (offences.length > 0) console.log(`  ${offences.length} ${file}`);
  if (!Object.values(totals).every(isWithinBudget)) process.exitCode = 1;
}

function toLine(name: string, total: Total): string {
  const rate = (count: number): string => perThousand(count, total.words).toFixed(1);
  return `${`English, ${name}`.padEnd(19)} ${total.words} words; per 1,000 ${rate(total.what)} what (≤ 5), ${rate(
    total.nobody,
  )} nobody/somebody/whoever (≤ 0.5); ${total.banned} banned phrases, ${total.width} lines past 110 columns; ${before[name] ?? ""}`;
}

function printLines(places: readonly string[]): void {
  const wanted = places.map((place) => place.replace(/^\.\//, "").replace(/\/$/, ""));
  for (const { file, lines, offences } of counts) {
    if (!wanted.some((place) => place === "." || file === place || file.startsWith(`${place}/`))) continue;
    for (const { rule, line } of offences)
      console.log(`${file}:${line}: ${rule}: ${(lines[line - 1] ?? "").trim()}`);
  }
}
