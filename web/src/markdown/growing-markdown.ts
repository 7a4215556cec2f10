/** Reads Markdown that grows, and never reads again the part that is finished. */
import type { Token } from "marked";
import { cutBlock } from "./cut-block.ts";
import { countFinishedBlocks } from "./finished-blocks.ts";
import { outlineHeadings, type Outline } from "./heading-outline.ts";
import { createDefinitions, lexBlocks, type LinkDefinitions } from "./lex-markdown.ts";
import { OpenCode } from "./open-code.ts";

/** A block of the text; the same object as long as it has not changed. */
export interface Block {
  readonly token: Token;
  /** The number of definitions of links that it was read with. */
  readonly definitionCount: number;
  /** The headings that it stands under. */
  readonly outline: Outline;
}

/** Shorter texts are read again whenever they grow. */
const shortLength = 1000;
/** Longer ones are read again when they have grown by this part. */
const growth = 0.25;
/** A block that has grown longer is cut, since reading it again would take too long. */
const maxOpenLength = 8000;

/** The blocks of a text that grows. */
export class GrowingMarkdown {
  /** Characters that were read so far, counting those that were read more than once. */
  lexedLength = 0;
  readonly #definitions: LinkDefinitions = createDefinitions();
  #definitionCount = 0;
  /** The headings that the next block stands under. */
  #outline: Outline = [];
  #finished: Block[] = [];
  #open: Block[] = [];
  /** The text after the finished blocks. */
  #rest = "";
  /** How much of that the open blocks show. */
  #shownLength = 0;
  #code: OpenCode | undefined;
  /** How many finished blocks have the links that are defined below them, once the text has ended. */
  #linkedCount = 0;
  #carriageReturn = "";

  /** Blocks that will not change while the text grows. */
  get finished(): readonly Block[] {
    return this.#finished;
  }

  /** Blocks after them, as they are so far. */
  get open(): readonly Block[] {
    return this.#open;
  }

  /** Text after those, which has not been read. */
  get tail(): string {
    return this.#code === undefined ? this.#rest.slice(this.#shownLength) : "";
  }

  /** Adds text at the end. */
  append(piece: string): void {
    const text = this.#carriageReturn + piece;
    this.#carriageReturn = text.endsWith("\r") ? "\r" : ""; // it may be the first half of a line break
    this.#grow(text.slice(0, text.length - this.#carriageReturn.length).replaceAll(/\r\n|\r/g, "\n"));
  }

  /**
   * Reads the rest, since nothing follows: with {@link readLinks}, the blocks are those of the whole
   * text.
   */
  finish(): void {
    if (this.#carriageReturn !== "") this.#grow("\n");
    this.#carriageReturn = "";
    this.#code = undefined;
    this.#lex((blocks) => blocks.length);
  }

  /**
   * Reads blocks again whose links are defined below them, once the text has ended, up to `length`
   * characters at a time. Returns which blocks it has gone through; none at the end.
   */
  readLinks(length = Infinity): { readonly start: number; readonly end: number } {
    const start = this.#linkedCount;
    const isLate = ({ token, definitionCount }: Block) =>
      definitionCount !== this.#definitionCount && token.raw.includes("[");
    for (let read = 0; read < length && this.#linkedCount < this.#finished.length; this.#linkedCount += 1) {
      const block = this.#finished[this.#linkedCount];
      if (block === undefined || !isLate(block)) continue;
      const { raw } = block.token;
      read += raw.length;
      this.lexedLength += raw.length;
      const [token] = lexBlocks(raw, this.#definitions, (blocks) => blocks.length).tokens;
      if (token !== undefined) this.#finished[this.#linkedCount] = this.#toBlock(token);
    }
    return { start, end: this.#linkedCount };
  }

  #grow(text: string): void {
    if (text === "") return;
    this.#rest += text;
    if (this.#code !== undefined) {
      this.#code.append(text);
      if (!this.#code.isClosed) {
        this.#open = this.#toOpenBlocks([this.#code.toToken()]);
        return;
      }
      this.#code = undefined;
      this.#shownLength = 0;
    }
    const grown = this.#rest.length - this.#shownLength;
    if (this.#rest.length > shortLength && grown < this.#shownLength * growth) return;
    this.#lex((blocks) => countFinishedBlocks(blocks, this.#rest));
    const [first] = this.#open;
    if (first !== undefined && this.#open.length === 1) this.#code = OpenCode.open(first.token, this.#rest);
    if (this.#code === undefined && this.#rest.length > maxOpenLength) this.#cut();
  }

  /** Finishes the beginning of the open blocks. */
  #cut(): void {
    const [first] = this.#open;
    if (first === undefined) return;
    const { end, rest } = cutBlock(first.token, this.#rest, maxOpenLength);
    this.#rest = this.#rest.slice(0, end);
    this.#lex((blocks) => blocks.length);
    this.#rest = "";
    this.#grow(rest);
  }

  #lex(countFinished: (blocks: readonly Token[]) => number): void {
    let count = 0;
    this.lexedLength += this.#rest.length;
    const lexed = lexBlocks(this.#rest, this.#definitions, (blocks) => (count = countFinished(blocks)));
    this.#definitionCount += lexed.definitionCount;
    const done = lexed.tokens.slice(0, count).map((token) => this.#toBlock(token));
    for (const block of done) this.#finished.push(block);
    this.#open = this.#toOpenBlocks(lexed.tokens.slice(count));
    this.#rest = this.#rest.slice(done.reduce((length, { token }) => length + token.raw.length, 0));
    this.#shownLength = this.#rest.length;
  }

  #toBlock(token: Token): Block {
    const outline = this.#outline;
    this.#outline = outlineHeadings(token, outline);
    return { token, definitionCount: this.#definitionCount, outline };
  }

  /** Blocks that will be read again, so that their headings do not count yet. */
  #toOpenBlocks(tokens: readonly Token[]): Block[] {
    const outline = this.#outline;
    const blocks = tokens.map((token) => this.#toBlock(token));
    this.#outline = outline;
    return blocks;
  }
}
