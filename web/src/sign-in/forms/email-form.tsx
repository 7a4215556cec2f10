/** The forms that begin with an e-mail address. */
import { useState } from "preact/hooks";
import { strings } from "../../strings/strings.ts";
import { Field } from "./field.tsx";
import type { ProjectSettings } from "../project-settings.ts";
import type { MailType } from "../sign-in-actions.ts";
import { useSignIn } from "../sign-in-context.ts";
import type { SignInProblem } from "../sign-in-problem.ts";
import { useSubmit } from "./use-submit.ts";

/** What the address is used for; `reset`: for a new password. */
export type EmailWay = "password" | "link" | "signUp" | "reset";

/** The ways that a user can go on to from each. */
const nextWays: Readonly<Record<EmailWay, readonly EmailWay[]>> = {
  password: ["link", "reset", "signUp"],
  link: ["password"],
  signUp: ["password"],
  reset: ["password"],
};

interface EmailFormProps {
  readonly way: EmailWay;
  readonly email: string;
  readonly settings: ProjectSettings;
  readonly problem: SignInProblem | undefined;
  readonly onEmail: (email: string) => void;
  readonly onProblem: (problem: SignInProblem | undefined) => void;
  readonly onWay: (way: EmailWay) => void;
  /** Called after an e-mail was sent, whose code is entered next. */
  readonly onSent: (type: MailType) => void;
}

/** Asks for an address, and a password if the way needs one. */
export function EmailForm(props: EmailFormProps) {
  const { way, email, settings, problem, onEmail, onProblem, onWay, onSent } = props;
  const { actions } = useSignIn();
  const words = strings.signIn;
  const [password, setPassword] = useState("");
  const hasPassword = way === "password" || way === "signUp";
  const { isBusy, form, onSubmit } = useSubmit(async () => {
    onProblem(undefined);
    const type = way === "reset" ? "recovery" : "email";
    const result =
      way === "password"
        ? await actions.signIn({ email, password })
        : way === "signUp"
          ? await actions.signUp({ email, password })
          : ((await actions.sendMail(email, { type, mayCreate: settings.hasSignUp })) ?? "sent");
    if (result === "sent") onSent(type);
    else onProblem(result);
  });
  const ways = nextWays[way].filter((next) => next !== "signUp" || settings.hasSignUp);
  return (
    <form ref={form} onSubmit={onSubmit} class="sign-in-form">
      {words.hints[way] !== "" && <p>{words.hints[way]}</p>}
      <Field
        label={words.email}
        type="email"
        autocomplete={hasPassword ? "username" : "email"}
        value={email}
        onValue={onEmail}
        isWrong={problem !== undefined}
      />
      {hasPassword && (
        <Field
          label={way === "signUp" ? words.newPassword : words.password}
          type="password"
          autocomplete={way === "signUp" ? "new-password" : "current-password"}
          value={password}
          onValue={setPassword}
          isWrong={problem !== undefined}
        />
      )}
      <button type="submit" class="sign-in-main" aria-disabled={isBusy}>
        {isBusy ? words.wait : words.submits[way]}
      </button>
      <div class="sign-in-ways">
        {ways.map((next) => (
          <button type="button" key={next} class="sign-in-way" onClick={() => onWay(next)}>
            {words.ways[next]}
          </button>
        ))}
      </div>
    </form>
  );
}
