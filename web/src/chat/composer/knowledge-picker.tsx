/** The choice of a knowledge base, and the button that opens the panel of all of them. */
import { useState } from "preact/hooks";
import { loadPart } from "../../base/later-parts.ts";
import { strings } from "../../strings/strings.ts";
import type { KnowledgeChoice } from "./use-knowledge-choice.ts";

interface PickerProps {
  readonly choice: KnowledgeChoice;
  readonly onOpen: () => void;
}

/** Lets the next questions be answered with a knowledge base, if the user has any. */
export function KnowledgePicker({ choice: { bases, chosen, choose }, onOpen }: PickerProps) {
  const { chat } = strings;
  return (
    <>
      {bases.length > 0 && (
        <select
          class="knowledge-picker"
          aria-label={chat.knowledgeBase}
          value={chosen ?? ""}
          onChange={({ currentTarget: { value } }) => choose(value === "" ? undefined : value)}
        >
          <option value="">{chat.noKnowledgeBase}</option>
          {bases.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      )}
      <button
        type="button"
        class="quiet"
        aria-haspopup="dialog"
        aria-label={chat.documents}
        title={chat.documents}
        onClick={onOpen}
      >
        {bases.length > 0 ? <span aria-hidden="true">…</span> : chat.documents}
      </button>
    </>
  );
}

type Panel = typeof import("../../knowledge/knowledge-panel.tsx").KnowledgePanel;

/** Returns the panel, if it is open, and a function that opens it: its code is loaded then. */
export function useKnowledgePanel(choice: KnowledgeChoice | undefined) {
  const [Opened, setOpened] = useState<Panel>();
  const open = async (): Promise<void> => {
    const part = await loadPart(async () => await import("../../knowledge/knowledge-panel.tsx"));
    if (part !== undefined) setOpened(() => part.KnowledgePanel);
  };
  const isOpen = Opened !== undefined && choice !== undefined;
  return { panel: isOpen && <Opened {...choice} onClose={() => setOpened(undefined)} />, open };
}
