/** A part of a reply that is open while it is written, and folds afterwards. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface PhaseProps {
  readonly class: string;
  readonly title: ComponentChildren;
  /** Whether it is being written. */
  readonly isOpen: boolean;
  readonly children: ComponentChildren;
}

/** Shows a phase. It opens and folds when `isOpen` changes; in between, the user decides. */
export function Phase({ class: name, title, isOpen, children }: PhaseProps) {
  const element = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    if (element.current !== null) element.current.open = isOpen;
  }, [isOpen]);
  return (
    <details class={`item ${name}`} ref={element}>
      <summary>{title}</summary>
      {children}
    </details>
  );
}
