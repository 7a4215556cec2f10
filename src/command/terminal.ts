/** The output of commands: results on standard output, progress and problems on standard error. */
import { toPrintable } from "../observe/printable.ts";

/** The least columns that a bar needs; in a narrower terminal there is none. */
const minColumns = 30;
const barColumns = 20;
/** Letters that take two columns. */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\p{Extended_Pictographic}]/u;
const clearLine = "\r\u001b[K";

/** A stream to print to, as Node has them. */
interface Output {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string, done: () => void): unknown;
}

/** Prints lines, and in a terminal one line of progress below them. */
export class Terminal {
  readonly #results: Output;
  readonly #messages: Output;
  #isProgressShown = false;

  constructor(results: Output, messages: Output) {
    this.#results = results;
    this.#messages = messages;
  }

  /** Prints a result; resolves once it is written. Its line breaks and control characters are kept. */
  async print(text: string): Promise<void> {
    await this.#write(this.#results, `${text}\n`);
  }

  /** Prints a message to the user. */
  async tell(text: string): Promise<void> {
    await this.#write(this.#messages, `${toPrintable(text)}\n`);
  }

  /**
   * Shows how far some work is, if there is a terminal; the next line takes its place.
   * @param part from 0 to 1; `undefined` if that is unknown.
   */
  show(label: string, part?: number): void {
    const { isTTY, columns = 0 } = this.#messages;
    if (isTTY !== true || columns < minColumns) return;
    this.#isProgressShown = true;
    this.#messages.write(`${clearLine}${toProgress(toPrintable(label), part, columns)}`, () => {});
  }

  /** Takes the progress away. */
  async clear(): Promise<void> {
    if (this.#isProgressShown) await this.#write(this.#messages, "");
  }

  async #write(output: Output, text: string): Promise<void> {
    if (this.#isProgressShown) this.#messages.write(clearLine, () => {});
    this.#isProgressShown = false;
    await new Promise<void>((resolve) => void output.write(text, resolve));
  }
}

/** Returns a line that leaves the last column free, in which some terminals would break it. */
function toProgress(label: string, part: number | undefined, columns: number): string {
  const end = part === undefined ? "" : ` ${toBar(part)}`;
  return `${cutToColumns(label, columns - 1 - end.length)}${end}`;
}

function toBar(part: number): string {
  const bounded = Math.max(0, Math.min(1, part));
  const full = Math.round(bounded * barColumns);
  return `[${"#".repeat(full)}${"-".repeat(barColumns - full)}] ${String(Math.floor(bounded * 100)).padStart(3)}%`;
}

function cutToColumns(text: string, columns: number): string {
  let width = 0;
  let cut = "";
  for (const letter of text) {
    width += wide.test(letter) ? 2 : 1;
    const isLast = cut.length + letter.length === text.length;
    if (width > columns || (width === columns && !isLast)) return `${cut}…`;
    cut += letter;
  }
  return cut;
}
