/** Colours code: its grammar's classes on spans. Loaded when the first block of code is finished. */
import { common, createLowlight } from "lowlight";
import { type ComponentChild, h } from "preact";

const lowlight = createLowlight(common);

/** A node of lowlight's tree. */
type CodeNode = ReturnType<typeof lowlight.highlight>["children"][number];

/** Returns elements for a part of a program; `undefined` if the language is unknown. */
export function highlight(language: string, code: string): ComponentChild[] | undefined {
  if (!lowlight.registered(language)) return undefined;
  return lowlight.highlight(language, code).children.map(toElement);
}

function toElement(node: CodeNode): ComponentChild {
  if (node.type === "text") return node.value;
  if (node.type !== "element") return null;
  const { className } = node.properties;
  const names = Array.isArray(className) ? className.filter((name) => /^[\w-]+$/.test(name)) : [];
  return h("span", { class: names.join(" ") }, node.children.map(toElement));
}
