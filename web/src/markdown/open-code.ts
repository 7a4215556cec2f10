/** A fenced code block whose end has not come: it grows line by line, without being read again. */
import type { Token, Tokens } from "marked";

/** Code that still grows, in parts: only the last of them changes. */
export interface OpenCodeToken extends Tokens.Code {
  readonly chunks: readonly string[];
}

/** The parts of a long block of code end at the first line break after so many characters. */
const chunkLength = 4000;

/** Divides code into parts for the page, which then changes only the last one. */
export function splitCode(text: string): string[] {
  const chunks: string[] = [];
  let start = 0;
  while (text.length - start > chunkLength) {
    const end = text.indexOf("\n", start + chunkLength);
    if (end === -1) break;
    chunks.push(text.slice(start, end + 1));
    start = end + 1;
  }
  return [...chunks, text.slice(start)];
}

/** Follows the lines of a code block until its closing fence. */
export class OpenCode {
  isClosed = false;
  readonly #fence: string;
  readonly #indent: string;
  readonly #language: string;
  readonly #chunks: string[] = [];
  #chunk = "";
  #line = "";

  private constructor(fence: string, indent: string, language: string) {
    this.#fence = fence;
    this.#indent = indent;
    this.#language = language;
  }

  /** Begins to follow a block if it is a code block without a closing fence; `source` is its whole text. */
  static open(token: Token, source: string): OpenCode | undefined {
    if (token.type !== "code" || "codeBlockStyle" in token || "formula" in token) return undefined;
    const opening = /^( {0,3})(`{3,}|~{3,})[^\n]*\n/.exec(source);
    const [all, indent, fence] = opening ?? [];
    if (all === undefined || indent === undefined || fence === undefined) return undefined;
    const language: unknown = "lang" in token ? token.lang : "";
    const code = new OpenCode(fence, indent, typeof language === "string" ? language : "");
    code.append(source.slice(all.length));
    return code.isClosed ? undefined : code;
  }

  /** Adds text at the end. */
  append(piece: string): void {
    const lines = piece.split("\n");
    const last = lines.pop() ?? "";
    for (const line of lines) {
      this.#line += line;
      if (this.#isClosing(this.#line)) this.isClosed = true;
      this.#chunk += `${this.#withoutIndent(this.#line)}\n`;
      this.#line = "";
      if (this.#chunk.length > chunkLength) {
        this.#chunks.push(this.#chunk);
        this.#chunk = "";
      }
    }
    this.#line += last;
  }

  /** Returns the block as it is so far. */
  toToken(): OpenCodeToken {
    const chunks = [...this.#chunks, this.#chunk + this.#withoutIndent(this.#line)];
    return { type: "code", raw: "", lang: this.#language, text: "", chunks };
  }

  #isClosing(line: string): boolean {
    const text = line.trim();
    return (
      text.length >= this.#fence.length &&
      text === this.#fence.charAt(0).repeat(text.length) &&
      /^ {0,3}\S/.test(line)
    );
  }

  #withoutIndent(line: string): string {
    const spaces = /^ */.exec(line)?.[0].length ?? 0;
    return line.slice(Math.min(spaces, this.#indent.length));
  }
}
