/** Sending a form of signing in. */
import { useEffect, useRef, useState } from "preact/hooks";

/** A form, and whether it is being sent. */
export interface Submit {
  readonly isBusy: boolean;
  readonly form: { current: HTMLFormElement | null };
  readonly onSubmit: (event: Event) => void;
}

/**
 * Sends a form once at a time. The first field has the focus when the form appears, and again after `send`,
 * which the user may have to repeat.
 */
export function useSubmit(send: () => Promise<void>): Submit {
  const form = useRef<HTMLFormElement>(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => focusField(form.current), []);
  return {
    isBusy,
    form,
    onSubmit: (event) => {
      event.preventDefault();
      if (isBusy) return;
      setBusy(true);
      void send().finally(() => {
        setBusy(false);
        focusField(form.current);
      });
    },
  };
}

/** Puts the focus on the first field to fill in: a password before an address that is there. */
function focusField(form: HTMLFormElement | null): void {
  const fields = Array.from(form?.querySelectorAll("input") ?? []);
  (fields.find((field) => field.value === "") ?? fields.at(-1))?.focus();
}
