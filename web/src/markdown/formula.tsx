/** A formula: its TeX at first, and MathML as soon as that is loaded. */
import type { ComponentChild } from "preact";
import { useEffect, useState } from "preact/hooks";
import { loadPart } from "../base/later-parts.ts";

/** Longer formulas stay TeX. */
const maxLength = 2000;

async function loadMath(): Promise<typeof import("./math-tree.ts")> {
  const [math] = await Promise.all([import("./math-tree.ts"), import("temml/dist/Temml-Local.css")]);
  return math;
}

/** Shows a formula; in a line of its own if it is a block. */
export function Formula({ tex, isBlock }: { tex: string; isBlock: boolean }) {
  const [shown, setShown] = useState<{ tex: string; element: ComponentChild }>();
  useEffect(() => {
    let isGone = false;
    if (tex.length <= maxLength)
      void loadPart(loadMath).then((math) => {
        if (math !== undefined && !isGone) setShown({ tex, element: math.renderMath(tex, isBlock) });
        return undefined; // else the TeX stays
      });
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
