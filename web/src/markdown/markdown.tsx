/** Shows Markdown that a model writes, while it grows. */
import { Component } from "preact";
import { useRef } from "preact/hooks";
import { strings } from "../strings/strings.ts";
import "../styles/markdown.css";
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

const parts: MarkdownParts = { Code: CodeBlock, Formula, texts: strings.markdown };

/** Shows a text: Markdown as elements, and never HTML that it contains. */
export function Markdown({ text, isDone }: MarkdownProps) {
  const markdown = useRef<MarkdownText>(null);
  markdown.current ??= new MarkdownText();
  const { groups, tail } = markdown.current.update(text, isDone);
  return (
    <div class="markdown" dir="auto">
      {groups.map((blocks, index) => (
        <BlockGroup key={index} blocks={blocks} tail={index === groups.length - 1 ? tail : ""} />
      ))}
    </div>
  );
}

/** Some blocks, which are not looked at again while they are the same. */
class BlockGroup extends Component<{ readonly blocks: readonly Block[]; readonly tail: string }> {
  override shouldComponentUpdate(next: BlockGroup["props"]): boolean {
    return next.blocks !== this.props.blocks || next.tail !== this.props.tail;
  }

  override render({ blocks, tail }: BlockGroup["props"]) {
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
class BlockView extends Component<{ readonly block: Block; readonly tail: string }> {
  override shouldComponentUpdate(next: BlockView["props"]): boolean {
    return next.block !== this.props.block || next.tail !== this.props.tail;
  }

  override render({ block, tail }: BlockView["props"]) {
    return renderBlock(block.token, parts, tail);
  }
}
