/** The form for a new password, after the old one was forgotten. */
import { useState } from "preact/hooks";
import { strings } from "../../strings/strings.ts";
import { Field } from "./field.tsx";
import { Problem } from "./problem.tsx";
import { useSignIn } from "../sign-in-context.ts";
import type { SignInProblem } from "../sign-in-problem.ts";
import { useSubmit } from "./use-submit.ts";

/** Sets the password of the signed-in user, or leaves it. */
export function NewPasswordForm() {
  const { account, actions } = useSignIn();
  const words = strings.signIn;
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<SignInProblem | undefined>();
  const { isBusy, form, onSubmit } = useSubmit(async () => {
    setProblem(undefined);
    setProblem(await actions.setPassword(password));
  });
  return (
    <>
      <h2>{words.titles.newPassword}</h2>
      <Problem problem={problem} />
      <form ref={form} onSubmit={onSubmit} class="sign-in-form">
        <input
          type="text"
          hidden
          name="username"
          autocomplete="username"
          value={account.store.state.user?.email ?? ""}
          readOnly
        />
        <Field
          label={words.newPassword}
          type="password"
          autocomplete="new-password"
          value={password}
          onValue={setPassword}
          isWrong={problem !== undefined}
        />
        <button type="submit" class="sign-in-main" aria-disabled={isBusy}>
          {isBusy ? words.wait : words.submits.newPassword}
        </button>
        <div class="sign-in-ways">
          <button type="button" class="sign-in-way" onClick={() => account.keepPassword()}>
            {words.keepPassword}
          </button>
        </div>
      </form>
    </>
  );
}
