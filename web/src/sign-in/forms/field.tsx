/** A field of the forms for signing in. */
import { useId } from "preact/hooks";
import { problemId } from "./problem.tsx";

/** Properties of {@link Field}. */
interface FieldProps {
  readonly label: string;
  readonly type: "email" | "password" | "text";
  /** Tells browsers and password managers what to fill in. */
  readonly autocomplete: "username" | "email" | "current-password" | "new-password" | "one-time-code";
  readonly value: string;
  readonly onValue: (value: string) => void;
  /** Whether its value may be the reason of the problem that is shown. */
  readonly isWrong: boolean;
  readonly minLength?: number;
}

/** A required field with its label. */
export function Field({ label, type, autocomplete, value, onValue, isWrong, minLength }: FieldProps) {
  const id = useId();
  const isCode = autocomplete === "one-time-code";
  const field = {
    id,
    value,
    autocomplete,
    required: true,
    name: autocomplete,
    spellcheck: false,
    autocapitalize: "none",
    minLength,
    "aria-invalid": isWrong,
    "aria-describedby": isWrong ? problemId : undefined,
    onInput: ({ currentTarget }: { readonly currentTarget: HTMLInputElement }) =>
      onValue(currentTarget.value),
  } as const;
  return (
    <div class="sign-in-field">
      <label for={id}>{label}</label>
      {type === "password" ? (
        <input {...field} type="password" />
      ) : type === "email" ? (
        <input {...field} type="email" dir="ltr" />
      ) : (
        <input {...field} type="text" dir="ltr" inputMode={isCode ? "numeric" : "text"} />
      )}
    </div>
  );
}
