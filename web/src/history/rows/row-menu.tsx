/** The menu of a row: a popover, which the browser closes by Escape and by a click elsewhere. */
import type { RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

/** An entry of the menu. */
export interface MenuEntry {
  readonly label: string;
  readonly run: () => void;
  readonly isDangerous?: boolean;
}

interface MenuProps {
  /** The button that opened it. */
  readonly anchor: RefObject<HTMLElement | null>;
  readonly entries: readonly MenuEntry[];
  readonly onClose: () => void;
}

interface ButtonProps {
  readonly label: string;
  readonly isActive: boolean;
  readonly entries: readonly MenuEntry[];
}

/** The button that opens a row's menu; the tab key reaches that of the active row. */
export function RowMenuButton({ label, isActive, entries }: ButtonProps) {
  const [isOpen, setIsOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button
        type="button"
        class="history-icon-button history-more"
        ref={button}
        tabIndex={isActive ? 0 : -1}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-label={label}
        onClick={() => setIsOpen(true)}
      >
        <span aria-hidden="true">⋯</span>
      </button>
      {isOpen && <RowMenu anchor={button} entries={entries} onClose={() => setIsOpen(false)} />}
    </>
  );
}

/** Shows the menu at its button, and moves the focus into it. */
function RowMenu({ anchor, entries, onClose }: MenuProps) {
  const menu = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = menu.current;
    const button = anchor.current?.getBoundingClientRect();
    if (element === null || button === undefined) return;
    element.showPopover();
    const { width, height } = element.getBoundingClientRect();
    const left = Math.max(4, Math.min(button.right - width, innerWidth - width - 4));
    const isAbove = button.bottom + height > innerHeight - 4;
    element.style.left = `${left}px`;
    element.style.top = `${isAbove ? Math.max(4, button.top - height) : button.bottom}px`;
    element.querySelector("button")?.focus();
  }, [anchor]);
  const move = (step: number): void => {
    const items = Array.from(menu.current?.querySelectorAll("button") ?? []);
    const index = items.findIndex((item) => item === document.activeElement);
    items.at((index + step) % items.length)?.focus();
  };
  return (
    <div
      class="history-menu"
      role="menu"
      popover="auto"
      ref={menu}
      onToggle={({ newState }) => {
        if (newState === "closed") onClose();
      }}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "ArrowDown") move(1);
        else if (event.key === "ArrowUp") move(-1);
        else if (event.key === "Tab") menu.current?.hidePopover();
        else return;
        event.preventDefault();
      }}
    >
      {entries.map(({ label, run, isDangerous }) => (
        <button
          key={label}
          type="button"
          role="menuitem"
          tabIndex={-1}
          class={isDangerous === true ? "dangerous" : undefined}
          onClick={() => {
            menu.current?.hidePopover();
            onClose();
            run();
          }}
        >
          {label}
        </button>
      ))}
    </div>
  );
}
