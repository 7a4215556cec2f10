/** A formula: its TeX at first, and MathML as soon as that is loaded. */
import type { ComponentChild } from "preact";
import { useEffect, useState } from "preact/hooks";

/** Longer formulas stay TeX. */
const maxLength = 2000;

/** Shows a formula; in a line of its own if it is a block. */
export function Formula({ tex, isBlock }: { tex: string; isBlock: boolean }) {
  const [shown, setShown] = useState<{ tex: string; element: ComponentChild }>();
  useEffect(() => {
    let isGone = false;
    if (tex.length <= maxLength)
      Promise.all([import("./math-tree.ts"), import("temml/dist/Temml-Local.css")]).then(
        ([{ renderMath }]) => isGone || setShown({ tex, element: renderMath(tex, isBlock) }),
        () => undefined, // offline: the TeX stays
      );
    return () => {
      isGone = true;
    };
  }, [tex, isBlock]);
  return (
    <span class={isBlock ? "markdown-math markdown-math-block" : "markdown-math"} dir="ltr">
      {shown?.tex === tex ? shown.element : <code>{tex}</code>}
    </span>
  );
}
