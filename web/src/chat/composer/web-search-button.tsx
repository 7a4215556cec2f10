/** Turns the web search on and off. */
import { useStore } from "../../base/use-store.ts";
import { strings } from "../../strings/strings.ts";
import type { BrowserMemory } from "../conversation/browser-memory.ts";

/** A button that lets the next questions be answered with a search of the web, or not. */
export function WebSearchButton({ memory }: { readonly memory: BrowserMemory }) {
  const isOn = useStore(memory.webSearch, (current) => current);
  return (
    <button
      type="button"
      class="quiet switch"
      aria-pressed={isOn}
      onClick={() => memory.writeWebSearch(!isOn)}
    >
      {strings.chat.webSearch}
    </button>
  );
}
