/** Reads Markdown as tokens: GitHub's dialect, with mathematics. */
import { Lexer, type Links, type MarkedToken, type Token, Tokenizer, type Tokens } from "marked";
import { outlineHeadings, type Outline } from "./heading-outline.ts";
import { findBlockMath, findBracketMath, findDollar, findDollarMath, type Formula } from "./math-syntax.ts";

/** A formula in a text: for marked a span of code. */
export interface MathSpan extends Tokens.Codespan {
  formula: Formula;
}

/** A formula in lines of its own: for marked a block of code. */
export interface MathBlock extends Tokens.Code {
  formula: Formula;
}

/** A token that the page can show. */
export type MarkdownToken = MarkedToken | MathSpan | MathBlock;

/** Destinations of links, by their label. */
export type LinkDefinitions = Links;

/** Blocks, and how many definitions of links they added. */
interface LexedBlocks {
  readonly tokens: Token[];
  readonly definitionCount: number;
}

/** A new definition, and the index of the top token that it is in. */
interface FoundDefinition {
  readonly label: string;
  readonly index: number;
}

/** Deeper blocks and spans stay text: they would overflow the stack. */
const maxDepth = 24;

/** Marked's rule for paragraphs, which a line that begins a formula ends, too. */
const paragraph = new RegExp(
  Lexer.rules.block.gfm.paragraph.source.replace(
    String.raw`(?:\n(?!`,
    String.raw`(?:\n(?! {0,3}(?:\$\$|\\\[)|`,
  ),
);

/** Creates an empty set of definitions. */
export function createDefinitions(): LinkDefinitions {
  const definitions: LinkDefinitions = {};
  Object.setPrototypeOf(definitions, null); // a label may be any name
  return definitions;
}

/** Reads a whole text. */
export function lexMarkdown(text: string): Token[] {
  const { tokens } = lexBlocks(text, createDefinitions(), (blocks) => blocks.length);
  let outline: Outline = [];
  for (const token of tokens) outline = outlineHeadings(token, outline);
  return tokens;
}

/**
 * Reads a text that may go on. `countFinished` gets the blocks before their texts are read, and returns how
 * many will stay as they are: only definitions in these are added to `definitions`.
 */
export function lexBlocks(
  text: string,
  definitions: LinkDefinitions,
  countFinished: (blocks: readonly Token[]) => number,
): LexedBlocks {
  const found: FoundDefinition[] = [];
  const tokenizer = new MarkdownTokenizer(found, definitions);
  const lexer = new Lexer({ gfm: true, tokenizer });
  tokenizer.rules = { ...tokenizer.rules, block: { ...tokenizer.rules.block, paragraph } };
  lexer.tokens.links = definitions;
  lexer.blockTokens(text, lexer.tokens);
  const count = countFinished(lexer.tokens);
  for (const { label, index } of found) if (index >= count) delete definitions[label];
  for (const { src, tokens } of lexer.inlineQueue) {
    lexer.state.inRawBlock = false; // as marked's own loop does
    lexer.state.inLink = false; // `<a>` in a block before it must not matter
    lexer.inlineTokens(src, tokens);
  }
  const definitionCount = new Set(found.filter(({ index }) => index < count).map(({ label }) => label)).size;
  return { tokens: Array.from(lexer.tokens), definitionCount };
}

/** Adds mathematics, limits the depth, and notes definitions of links. */
class MarkdownTokenizer extends Tokenizer {
  readonly #found: FoundDefinition[];
  readonly #definitions: LinkDefinitions;
  #depth = 0;

  constructor(found: FoundDefinition[], definitions: LinkDefinitions) {
    super();
    this.#found = found;
    this.#definitions = definitions;
  }

  override fences(source: string): MathBlock | Tokens.Code | undefined {
    const formula = findBlockMath(source);
    if (formula === undefined) return super.fences(source);
    return { type: "code", raw: formula.raw, text: formula.tex, lang: "math", formula };
  }

  override codespan(source: string): MathSpan | Tokens.Codespan | undefined {
    const formula = findMath(source);
    if (formula === undefined) return super.codespan(source);
    return { type: "codespan", raw: formula.raw, text: formula.tex, formula };
  }

  override escape(source: string): Tokens.Escape | undefined {
    return findBracketMath(source) === undefined ? super.escape(source) : undefined;
  }

  override inlineText(source: string): Tokens.Text | undefined {
    const end = findDollar(source);
    return super.inlineText(end === undefined ? source : source.slice(0, end));
  }

  override def(source: string): Tokens.Def | undefined {
    const token = super.def(source);
    if (token !== undefined && !(token.tag in this.#definitions))
      this.#found.push({ label: token.tag, index: this.lexer.tokens.length });
    return token;
  }

  override blockquote(source: string): Tokens.Blockquote | undefined {
    return this.#deeper(() => super.blockquote(source));
  }

  override list(source: string): Tokens.List | undefined {
    return this.#deeper(() => super.list(source));
  }

  override emStrong(source: string, masked: string, before?: string): Tokens.Em | Tokens.Strong | undefined {
    return this.#deeper(() => super.emStrong(source, masked, before));
  }

  override del(source: string, masked: string, before?: string): Tokens.Del | undefined {
    return this.#deeper(() => super.del(source, masked, before));
  }

  override link(source: string): Tokens.Link | Tokens.Image | undefined {
    return this.#deeper(() => super.link(source));
  }

  #deeper<Found>(find: () => Found | undefined): Found | undefined {
    if (this.#depth >= maxDepth) return undefined;
    this.#depth += 1;
    try {
      return find();
    } finally {
      this.#depth -= 1;
    }
  }
}

function findMath(source: string): Formula | undefined {
  if (source.startsWith("$")) return findDollarMath(source);
  return source.startsWith("\\") ? findBracketMath(source) : undefined;
}
