/** Takes the elements and attributes of MathML that draw, out of a tree that temml has built. */
import { type ComponentChild, h } from "preact";

const elements = new Set(
  (
    "math maction menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow mspace msqrt mstyle " +
    "msub msubsup msup mtable mtd mtext mtr munder munderover none"
  ).split(" "),
);
const attributes = new Set(
  (
    "accent accentunder columnalign columnspan depth display displaystyle fence form height largeop linebreak linethickness " +
    "lspace mathbackground mathcolor mathsize mathvariant maxsize minsize movablelimits notation rowspacing rspace " +
    "scriptlevel separator stretchy symmetric voffset width"
  ).split(" "),
);
const styles = new Set(
  (
    "border borderBottom borderLeft borderRight borderTop color display fontFamily fontStyle fontWeight justifyContent " +
    "marginLeft mathDepth mathStyle padding paddingBottom paddingLeft paddingRight paddingTop textAlign width"
  ).split(" "),
);
const maxDepth = 200;

/** Makes an element of a node of temml's tree; whatever is not on the lists is left out. */
export function toMathElement(node: unknown, depth = 0): ComponentChild {
  const { type, text, children, classes, ...parts } = toRecord(node);
  if (typeof text === "string") return text;
  if (depth > maxDepth) return null;
  const inner = Array.isArray(children)
    ? children.map((child: unknown) => toMathElement(child, depth + 1))
    : [];
  if (typeof type !== "string" || !elements.has(type)) return h("mrow", null, inner);
  const names = Array.isArray(classes) ? classes.filter((name) => /^[\w-]+$/.test(String(name))) : [];
  const style = pick(toRecord(parts["style"]), styles);
  return h(
    type,
    {
      ...pick(toRecord(parts["attributes"]), attributes),
      ...(names.length > 0 && { class: names.join(" ") }),
      ...(Object.keys(style).length > 0 && { style }),
    },
    inner,
  );
}

function pick(
  values: Readonly<Record<string, unknown>>,
  allowed: ReadonlySet<string>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values)
      .filter(([name, value]) => allowed.has(name) && /^(?:string|number|boolean)$/.test(typeof value))
      .map(([name, value]) => [name, String(value)] as const)
      .filter(([, value]) => !/url\(|[;:{}<>]/i.test(value)),
  );
}

function toRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
