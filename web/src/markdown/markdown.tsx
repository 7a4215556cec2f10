/** Shows Markdown that a model writes, while it grows. */
import { Component } from "preact";
import { useEffect, useReducer, useRef } from "preact/hooks";
import { printing } from "../base/printing.ts";
import { useStore } from "../base/use-store.ts";
import { Citation } from "../chat/sources/citation.tsx";
import { language, strings } from "../strings/strings.ts";
import "../styles/markdown.css";
import type { BlockGroup, BlockSection } from "./block-sections.ts";
import { CodeBlock } from "./code-block.tsx";
import { Formula } from "./formula.tsx";
import type { Block } from "./growing-markdown.ts";
import { MarkdownText } from "./markdown-text.ts";
import { renderBlock } from "./render-block.ts";
import type { MarkdownParts } from "./render-inline.ts";

/** A text in Markdown, and whether it will still grow. */
export interface MarkdownProps {
  readonly text: string;
  readonly isDone: boolean;
}

/** Shows a text: Markdown as elements, and never HTML that it contains. */
export function Markdown({ text, isDone }: MarkdownProps) {
  const markdown = useRef<MarkdownText>(null);
  markdown.current ??= new MarkdownText();
  const isPrinting = useStore(printing, (current) => current);
  const view = isPrinting ? readWhole(markdown.current, text, isDone) : markdown.current.update(text, isDone);
  const { sections, tail, isBehind } = view;
  const [, readOn] = useReducer((count: number) => count + 1, 0);
  // A long text is read in several tasks, so that the page can draw and take keys in between.
  useEffect(() => {
    if (!isBehind) return undefined;
    const timer = setTimeout(readOn, 0, undefined);
    return () => clearTimeout(timer);
  });
  return (
    <div class="markdown" key={language}>
      {sections.map((groups, index) => (
        <Section key={index} groups={groups} tail={index === sections.length - 1 ? tail : ""} />
      ))}
    </div>
  );
}

/** Reads all of a text at once: a print waits for nothing. */
function readWhole(
  markdown: MarkdownText,
  text: string,
  isDone: boolean,
): ReturnType<MarkdownText["update"]> {
  for (;;) {
    const view = markdown.update(text, isDone);
    if (!view.isBehind) return view;
  }
}

/** Renders again only when its properties have changed. */
abstract class Unchanged<Props extends { readonly tail: string }> extends Component<Props> {
  override shouldComponentUpdate(next: Readonly<Props>): boolean {
    return !isSame(next, this.props);
  }
}

/** Some groups. */
class Section extends Unchanged<{ readonly groups: BlockSection; readonly tail: string }> {
  override render({ groups, tail }: Section["props"]) {
    return (
      <div class="markdown-section">
        {groups.map((blocks, index) => (
          <Group key={index} blocks={blocks} tail={index === groups.length - 1 ? tail : ""} />
        ))}
      </div>
    );
  }
}

/** Some blocks. */
class Group extends Unchanged<{ readonly blocks: BlockGroup; readonly tail: string }> {
  override render({ blocks, tail }: Group["props"]) {
    return (
      <div class="markdown-group">
        {blocks.map((block, index) => (
          <BlockView key={index} block={block} tail={index === blocks.length - 1 ? tail : ""} />
        ))}
      </div>
    );
  }
}

/** One block. */
class BlockView extends Unchanged<{ readonly block: Block; readonly tail: string }> {
  override render({ block, tail }: BlockView["props"]) {
    const parts: MarkdownParts = { Citation, Code: CodeBlock, Formula, texts: strings.markdown };
    return renderBlock(block.token, parts, tail);
  }
}

function isSame(one: object, other: object): boolean {
  const values = new Map<string, unknown>(Object.entries(other));
  return Object.entries(one).every(([name, value]) => Object.is(value, values.get(name)));
}
