/** Turns the web search on and off. */
import { useState } from "preact/hooks";
import { strings } from "../../strings/strings.ts";
import type { BrowserMemory } from "../conversation/browser-memory.ts";

/** A button that lets the next questions be answered with a search of the web, or not. */
export function WebSearchButton({ memory }: { readonly memory: BrowserMemory }) {
  const [isOn, setOn] = useState(() => memory.readWebSearch());
  return (
    <button
      type="button"
      class="quiet switch"
      aria-pressed={isOn}
      onClick={() => {
        memory.writeWebSearch(!isOn);
        setOn(!isOn);
      }}
    >
      {strings.chat.webSearch}
    </button>
  );
}
