/** Copies a text, and says whether that worked. */
import { useEffect, useState } from "preact/hooks";
import { strings } from "../strings/strings.ts";

/** How long the button says so. */
const confirmationMs = 2_000;

interface CopyProps {
  readonly text: () => string;
  /** The button's name. */
  readonly label: string;
  readonly class?: string;
}

/** A button that copies a text; the browser may refuse that. */
export function CopyButton({ text, label, class: name }: CopyProps) {
  const [state, setState] = useState<"ready" | "copied" | "failed">("ready");
  useEffect(() => {
    if (state === "ready") return undefined;
    const timer = setTimeout(() => setState("ready"), confirmationMs);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
      setState("copied");
    } catch {
      setState("failed");
    }
  };
  const { markdown } = strings;
  const confirmation = state === "copied" ? markdown.copied : state === "failed" ? markdown.copyFailed : "";
  return (
    <span class="copy">
      <button type="button" class={name} onClick={() => void copy()} aria-label={label}>
        {confirmation === "" ? markdown.copy : confirmation}
      </button>
      <span class="visually-hidden" role="status">
        {confirmation}
      </span>
    </span>
  );
}
