/** The table of results, in Markdown. */
import { counterparts, forewordPeers, rawPeers, type ForewordPeer, type PeerName } from "../peers/peers.ts";
import { compare } from "./noise.ts";
import { toFigure, toRatio, toValue, type Row } from "./row.ts";

/** A column: its name, and its cell in a row. */
interface Column {
  readonly name: string;
  readonly toCell: (row: Row) => string;
  readonly isText?: boolean;
}

/** Returns the columns for these peers, without the last, which tells when the figure was measured. */
function listColumns(peers: readonly PeerName[]): readonly Column[] {
  const ours = forewordPeers.filter((peer) => peers.includes(peer));
  return [
    { name: "scenario", toCell: ({ scenario }) => scenario, isText: true },
    { name: "figure", toCell: ({ figure }) => figure, isText: true },
    ...peers.map((name) => ({ name, toCell: ({ samples }: Row) => toCell(toValue(samples, name)) })),
    ...ours.map((peer) => ({ name: `${peer} ÷ ${rawPeers.join(", ")}`, toCell: toRatios(peer) })),
    ...ours
      .filter((peer) => peers.includes(counterparts[peer]))
      .map((peer) => ({ name: `${peer} ÷ ${counterparts[peer]}`, toCell: toComparison(peer) })),
    {
      name: "target",
      toCell: ({ targets = [] }) => targets.map(({ text }) => text).join("; "),
      isText: true,
    },
    { name: "met", toCell: ({ targets = [] }) => targets.map(({ isMet }) => (isMet ? "✓" : "✗")).join(" ") },
  ];
}

function toCell(value: number | undefined): string {
  return value === undefined ? "" : toFigure(value);
}

/** Returns the ratios to the raw peers, or the one that the row has itself. */
function toRatios(peer: PeerName): (row: Row) => string {
  return ({ samples, ratios }) => {
    if (ratios !== undefined) return ratios[peer] === undefined ? "" : `${toFigure(ratios[peer])} ×`;
    return rawPeers
      .flatMap((raw) => toRatio(samples, peer, raw) ?? [])
      .map((ratio) => `${toFigure(ratio)} ×`)
      .join(", ");
  };
}

/** Returns the ratio to the same store in the other checkout, and whether it is beyond noise. */
function toComparison(peer: ForewordPeer): (row: Row) => string {
  return ({ samples }) => {
    const other = counterparts[peer];
    const [ours = [], theirs = []] = [samples[peer], samples[other]];
    if (ours.length === 0 || theirs.length === 0) return "";
    const ratio = toRatio(samples, peer, other);
    const { chance, verdict } = compare(ours, theirs);
    const told = verdict === "too few rounds" ? verdict : `${verdict} (p ${chance.toPrecision(1)})`;
    return ratio === undefined ? told : `${toFigure(ratio)} ×, ${told}`;
  };
}

/** Returns the header and the rule below it. */
export function toTableHead(peers: readonly PeerName[]): readonly string[] {
  const columns = listColumns(peers);
  const rules = [...columns.map(({ isText }) => (isText === true ? "---" : "---:")), "---:"];
  return [toLine([...columns.map(({ name }) => name), "measured"]), `|${rules.join("|")}|`];
}

/** Returns the line of a row; `when` is the date and commit of its measurement. */
export function toTableLine(row: Row, peers: readonly PeerName[], when: string): string {
  const rounds = Math.max(0, ...Object.values(row.samples).map((list) => list.length));
  const cells = listColumns(peers).map(({ toCell: toText }) => toText(row));
  return toLine([...cells, `${when}, rounds ${rounds}`]);
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
