/** Reads tables of values: each row tells its columns' names, so that it can be understood alone. */
import { parse } from "csv-parse/sync";
import type { DocumentPage } from "../document.ts";
import { ReadFailure } from "./read-failure.ts";

const rowsAtOnce = 200;

/**
 * The first row holds the names of the columns. Columns are separated by the first of tab, semicolon and
 * comma that the first row holds most of.
 * @throws ReadFailure `document_unreadable` if a quoted value never ends.
 */
export function* readCsv(text: string): Generator<DocumentPage> {
  const rows = parseRows(text);
  const names = rows[0] ?? [];
  if (rows.length === 1) yield toPage([names.join(", ")]);
  for (let index = 1; index < rows.length; index += rowsAtOnce) {
    yield toPage(rows.slice(index, index + rowsAtOnce).map((row) => toLine(row, names)));
  }
}

function parseRows(text: string): string[][] {
  const head = text.slice(0, text.search(/\n|$/));
  const [delimiter = ","] = ["\t", ";", ","].toSorted(
    (one, other) => head.split(other).length - head.split(one).length,
  );
  try {
    return parse(text, {
      delimiter,
      relaxColumnCount: true,
      relaxQuotes: true,
      skipEmptyLines: true,
      trim: true,
      maxRecordSize: 1_000_000,
    });
  } catch {
    throw new ReadFailure("document_unreadable");
  }
}

function toLine(row: readonly string[], names: readonly string[]): string {
  return row
    .map((value, index) => (value === "" ? "" : names[index] ? `${names[index]}: ${value}` : value))
    .filter((cell) => cell !== "")
    .join("; ");
}

function toPage(lines: readonly string[]): DocumentPage {
  const text = lines.map((line) => `${line}\n`).join("");
  return { number: undefined, of: undefined, text, headings: [] };
}
