/** Shows Markdown that a model writes, while it grows. */

/** A text in Markdown, and whether it will still grow. */
export interface MarkdownProps {
  readonly text: string;
  readonly isDone: boolean;
}

/** Shows a text: Markdown as elements, and never HTML that it contains. */
export function Markdown({ text }: MarkdownProps) {
  return (
    <div class="markdown" dir="auto">
      {text}
    </div>
  );
}
