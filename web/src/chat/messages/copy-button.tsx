/** Copies a text. */
import { useState } from "preact/hooks";
import { strings } from "../../strings/strings.ts";

const shownMs = 2_000;

/** A button that copies `text`, and says so for a moment. */
export function CopyButton({ text }: { readonly text: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), shownMs);
  };
  return (
    <button type="button" class="quiet" onClick={() => void copy()}>
      {isCopied ? strings.chat.copied : strings.chat.copy}
    </button>
  );
}
