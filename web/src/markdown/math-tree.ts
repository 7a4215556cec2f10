/** Makes MathML elements of TeX, from temml's tree and never from markup. Loaded with the first formula. */
import { type ComponentChild, h } from "preact";
import temml, { type Options } from "temml";
import { toMathElement } from "./math-element.ts";

const { __renderToMathMLTree: renderTree } = temml;
/** Sizes are bounded, in em, and so is the number of macros' expansions; links and HTML are not trusted. */
const bounds: Options = { trust: false, maxSize: [10, 10], maxExpand: 200, throwOnError: true };

/** Returns the elements of a formula; its TeX if it cannot be read. */
export function renderMath(tex: string, isBlock: boolean): ComponentChild {
  try {
    // Sizes, in em, and expansions of macros are bounded; links and HTML are not trusted.
    return toMathElement(renderTree(tex, { ...bounds, displayMode: isBlock }));
  } catch {
    return h("code", null, tex); // not TeX, or more than it may be
  }
}
