/** Reads the prose of a file: comments and strings of TypeScript and SQL, and the text of Markdown. */
import { createScanner } from "typescript/unstable/ast/scanner";
import { SyntaxKind } from "typescript/unstable/ast";

/** A passage of prose in a file. */
export interface Prose {
  readonly kind: "comment" | "docs" | "string";
  readonly text: string;
  /** Line where it starts, from 1. */
  readonly line: number;
}

/** Returns the prose of `text` by the type of `file`, without code in backticks and addresses. */
export function readProse(file: string, text: string): readonly Prose[] {
  if (file.endsWith(".ts")) return join(readTypeScript(text).map(strip));
  if (file.endsWith(".sql")) return join(readSql(text).map(strip));
  if (file.endsWith(".md")) return [strip({ kind: "docs", text: blankCodeBlocks(text), line: 1 })];
  if (file.endsWith(".env.example")) return join(readHashComments(text).map(strip));
  return [];
}

/** Tokens after which a slash divides; after any other token it opens a regular expression. */
const operandEnds = new Set([
  SyntaxKind.PrivateIdentifier,
  SyntaxKind.NumericLiteral,
  SyntaxKind.BigIntLiteral,
  SyntaxKind.StringLiteral,
  SyntaxKind.NoSubstitutionTemplateLiteral,
  SyntaxKind.TemplateTail,
  SyntaxKind.RegularExpressionLiteral,
  SyntaxKind.CloseParenToken,
  SyntaxKind.CloseBracketToken,
  SyntaxKind.CloseBraceToken,
  SyntaxKind.PlusPlusToken,
  SyntaxKind.MinusMinusToken,
  SyntaxKind.ThisKeyword,
  SyntaxKind.SuperKeyword,
  SyntaxKind.NullKeyword,
  SyntaxKind.TrueKeyword,
  SyntaxKind.FalseKeyword,
]);

const kinds = new Map<SyntaxKind, Prose["kind"]>([
  [SyntaxKind.SingleLineCommentTrivia, "comment"],
  [SyntaxKind.MultiLineCommentTrivia, "comment"],
  [SyntaxKind.StringLiteral, "string"],
  [SyntaxKind.NoSubstitutionTemplateLiteral, "string"],
  [SyntaxKind.TemplateHead, "string"],
  [SyntaxKind.TemplateMiddle, "string"],
  [SyntaxKind.TemplateTail, "string"],
]);

const trivia = new Set([
  SyntaxKind.WhitespaceTrivia,
  SyntaxKind.NewLineTrivia,
  SyntaxKind.SingleLineCommentTrivia,
  SyntaxKind.MultiLineCommentTrivia,
]);

function readTypeScript(text: string): Prose[] {
  const scanner = createScanner(false);
  scanner.setText(text);
  const found: Prose[] = [];
  const toLine = lineCounter(text);
  /** For each open brace, whether it belongs to a template. */
  const braces: boolean[] = [];
  let isAfterOperand = false;
  for (;;) {
    let token = scanner.scan();
    if (token === SyntaxKind.EndOfFile) return found;
    const slash = token === SyntaxKind.SlashToken || token === SyntaxKind.SlashEqualsToken;
    if (slash && !isAfterOperand) token = scanner.reScanSlashToken();
    if (token === SyntaxKind.OpenBraceToken) braces.push(false);
    if (token === SyntaxKind.TemplateHead) braces.push(true);
    if (token === SyntaxKind.CloseBraceToken && braces.pop() === true) {
      token = scanner.reScanTemplateToken(false);
      if (token === SyntaxKind.TemplateMiddle) braces.push(true);
    }
    if (scanner.isUnterminated())
      throw new Error(`unterminated token in line ${toLine(scanner.getTokenStart())}`);
    if (!trivia.has(token)) isAfterOperand = scanner.isIdentifier() || operandEnds.has(token);
    const kind = kinds.get(token);
    const start = scanner.getTokenStart();
    if (kind !== undefined) found.push({ kind, text: scanner.getTokenText(), line: toLine(start) });
  }
}

/** Matches comments and strings. Function bodies in dollar quotes are read like other code. */
const sqlToken = /--[^\n]*|\/\*[^]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"/g;

function readSql(text: string): Prose[] {
  const toLine = lineCounter(text);
  return Array.from(text.matchAll(sqlToken), ({ 0: token, index }) => ({
    kind: /^(?:--|\/\*)/.test(token) ? "comment" : "string",
    text: token,
    line: toLine(index),
  }));
}

function readHashComments(text: string): Prose[] {
  const toLine = lineCounter(text);
  return Array.from(text.matchAll(/^#[^\n]*/gm), ({ 0: token, index }) => ({
    kind: "comment",
    text: token,
    line: toLine(index),
  }));
}

/** Returns a function that converts offsets to lines; the offsets must not decrease. */
function lineCounter(text: string): (offset: number) => number {
  let line = 1;
  let at = 0;
  return (offset) => {
    for (; at < offset; at += 1) if (text[at] === "\n") line += 1;
    return line;
  };
}

function blankCodeBlocks(text: string): string {
  return text.replaceAll(/^ *```[^]*?^ *```[^\n]*$|<!--[^]*?-->/gm, (block) =>
    block.replaceAll(/[^\n]/g, ""),
  );
}

function blank(code: string): string {
  return code.replaceAll(/[^\n]+/g, " ");
}

/** Removes comment marks, code in backticks, link targets and addresses; line breaks stay. */
function strip(prose: Prose): Prose {
  let text = prose.text;
  if (prose.kind === "comment")
    text = text.replaceAll(/^[ \t]*(?:\/\/|\/\*+|\*\/|\*|--|#)|\*\/[ \t]*$/gm, "");
  text = text
    .replaceAll(/\{@link ([^}]*)\}/g, blank)
    .replaceAll(/\]\([^)]*\)/g, "]")
    .replaceAll(/https?:\/\/[^\s)>]+/g, "");
  if (prose.kind !== "string") text = text.replaceAll(/``.*?``|`[^`]*`/g, blank);
  return { ...prose, text };
}

/** Joins comments on consecutive lines, so that a phrase is found across them. */
function join(found: readonly Prose[]): Prose[] {
  const joined: Prose[] = [];
  let endLine = 0;
  for (const prose of found) {
    const last = joined.at(-1);
    if (prose.kind === "comment" && last?.kind === "comment" && prose.line === endLine + 1)
      joined[joined.length - 1] = { ...last, text: `${last.text}\n${prose.text}` };
    else joined.push(prose);
    endLine = prose.line + prose.text.split("\n").length - 1;
  }
  return joined;
}
