/** The table of results, in Markdown. */
import type { PeerName } from "../peers/peers.ts";
import { toFigure, type Row } from "./row.ts";

/** Returns the column names for these peers. */
function listColumns(peers: readonly PeerName[]): readonly string[] {
  return ["scenario", "figure", ...peers, "ratio", "target", "met", "measured"];
}

/** Returns the header and the rule below it. */
export function toTableHead(peers: readonly PeerName[]): readonly string[] {
  const columns = listColumns(peers);
  const lines = columns.map((column) => (["scenario", "figure", "target"].includes(column) ? "---" : "---:"));
  return [toLine(columns), `|${lines.join("|")}|`];
}

/** Date, commit and rounds of a measurement. */
export interface Measured {
  /** Date and commit. */
  readonly when: string;
  readonly rounds: number;
}

/** Returns the line of a row. */
export function toTableLine(row: Row, peers: readonly PeerName[], { when, rounds }: Measured): string {
  const values = peers.map((peer) => {
    const value = row.values[peer];
    return value === undefined ? "" : toFigure(value);
  });
  const ratio = row.ratio === undefined ? "" : `${toFigure(row.ratio)} ×`;
  const isMet = row.target?.isMet;
  const met = isMet === undefined ? "" : isMet ? "✓" : "✗";
  const measured = `${when}, rounds ${row.rounds ?? rounds}`;
  return toLine([row.scenario, row.figure, ...values, ratio, row.target?.text ?? "", met, measured]);
}

/** Returns the cells of a line. */
export function parseLine(line: string): readonly string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function toLine(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
