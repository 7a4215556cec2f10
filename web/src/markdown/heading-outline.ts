/** Gives headings levels that follow each other, whatever depths a text is written with. */
import type { MarkedToken, Token } from "marked";

/** The depths of the headings that a place in a text stands under, as they are written. */
export type Outline = readonly number[];

/**
 * Replaces the depths of the headings in `block` by their levels: 1, or one more than that of the heading
 * they stand under. Returns the outline after the block.
 */
export function outlineHeadings(block: Token, outline: Outline): Outline {
  if (isHeading(block)) {
    const { depth } = block;
    const above = outline.filter((other) => other < depth);
    block.depth = above.length + 1;
    return [...above, depth];
  }
  return findChildren(block).reduce((under, child) => outlineHeadings(child, under), outline);
}

function isHeading(token: Token): token is Extract<MarkedToken, { type: "heading" }> {
  return token.type === "heading";
}

/** The blocks in a list or a quotation. */
function findChildren(token: Token): readonly Token[] {
  const isContainer = token.type === "list" || token.type === "list_item" || token.type === "blockquote";
  if (!isContainer) return [];
  const children: unknown = "items" in token ? token["items"] : token.tokens;
  return isTokens(children) ? children : [];
}

function isTokens(value: unknown): value is readonly Token[] {
  return Array.isArray(value);
}
