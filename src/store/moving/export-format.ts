/**
 * The lines of an export. The first describes it; then each is a row, as Postgres writes it in JSON:
 * `{"table":"messages","row":{…}}`. Rows stay text on their way, so that no number loses digits. The last has
 * the SHA-256 of all lines before it: `{"sha256":"…"}`.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import { schemaVersion } from "../database/database.ts";
import { MoveProblem } from "./move-problem.ts";
import { movedTables } from "./moved-tables.ts";

const format = "foreword-export";
/** The version of the lines themselves. */
const formatVersion = 1;

const noExport = "This is no file of `foreword export`.";
/** In UTF-16 code units, far above any row's. */
const maxLineLength = 268_435_456;

const Kind = z.object({ format: z.literal(format), version: z.number(), schema: z.number() });
const Header = Kind.extend({
  /** By the database's clock, after all rows of the export. */
  exportedAt: z.string(),
  /** The processes that ran turns which had not ended. */
  runningOwners: z.array(z.string()),
  tables: z.record(
    z.string(),
    z.object({
      rows: z.number(),
      columns: z.array(z.object({ name: z.string(), type: z.string() })),
    }),
  ),
});
/** The first line of an export. */
export type ExportHeader = z.output<typeof Header>;

/** A row of an export. */
export interface ExportedRow {
  readonly table: string;
  /** A JSON object. */
  readonly row: string;
}

/** Returns the first line. */
export function toHeaderLine(header: Omit<ExportHeader, "format" | "version">): string {
  return `${JSON.stringify({ format, version: formatVersion, ...header })}\n`;
}

/** Returns the line of a row. */
export function toRowLine(table: string, row: string): string {
  return `{"table":"${table}","row":${row}}\n`;
}

/** Returns the first line's description. @throws MoveProblem if this build cannot import the rest. */
export function parseHeader(line: string | undefined): ExportHeader {
  const value = parseJson(line ?? "");
  const kind = Kind.safeParse(value).data;
  if (kind === undefined) throw new MoveProblem(noExport);
  const header = Header.safeParse(value).data;
  const isKnown = header && Object.keys(header.tables).every((name) => isMoved(name));
  if (kind.version > formatVersion || kind.schema > schemaVersion || isKnown === false)
    throw new MoveProblem(
      `A newer build of Foreword wrote this file (format ${kind.version}, schema ${kind.schema}), and this one reads format ${formatVersion} and schemas up to ${schemaVersion}: upgrade Foreword, and import the file again.`,
    );
  if (header === undefined) throw new MoveProblem("The first line of the file is damaged.");
  return header;
}

/** Computes the digest of an export's lines. */
export class LinesDigest {
  readonly #hash = createHash("sha256");

  /** Adds whole lines. */
  add(lines: string): void {
    this.#hash.update(lines);
  }

  /** Returns the last line, with the digest of all lines so far; nothing can be added to it. */
  toEndLine(): string {
    return `{"sha256":"${this.#hash.digest("hex")}"}\n`;
  }
}

/** Whether a line is the last one. */
export function isEndLine(line: string): boolean {
  return /^\{"sha256":"[\da-f]{64}"\}$/.test(line);
}

/**
 * Checks the last line of a file, `undefined` if it has none, against the digest of the lines before it.
 * @throws MoveProblem if they are not those that were exported.
 */
export function checkEnd(line: string | undefined, digest: LinesDigest): void {
  if (line === undefined)
    throw new MoveProblem(
      "The file lacks its last line: it was cut off. Export again; an import of the new file goes on from here.",
    );
  if (line !== digest.toEndLine().trimEnd())
    throw new MoveProblem(
      "The file has been changed since it was exported, or is damaged: its lines do not have the SHA-256 that the last one gives. Export again, and import the new file into another, empty database: rows of this one are wrong.",
    );
}

/** Returns the row in a line. @throws MoveProblem if the line is cut off, or holds none. */
export function parseRowLine(line: string): ExportedRow {
  const [, table = "", row = ""] = /^\{"table":"(\w+)","row":(\{.*\})\}$/s.exec(line) ?? [];
  if (isMoved(table)) return { table, row };
  throw new MoveProblem(
    "The file ends in the middle of a row, or is damaged: export again. What was imported so far is complete, and an import of the new file goes on from there.",
  );
}

/**
 * Cuts text into lines at line feeds alone; an empty last one is left out.
 * @throws MoveProblem if a line is too long for one of an export.
 */
export async function* toLines(chunks: AsyncIterable<unknown>): AsyncGenerator<string> {
  let parts: string[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    const text = String(chunk);
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      yield parts.join("") + text.slice(start, end);
      parts = [];
      length = 0;
      start = end + 1;
    }
    if (start < text.length) parts.push(text.slice(start));
    length += text.length - start;
    if (length > maxLineLength) throw new MoveProblem(noExport);
  }
  if (parts.length > 0) yield parts.join("");
}

function isMoved(table: string): boolean {
  return movedTables.some(({ name }) => name === table);
}
