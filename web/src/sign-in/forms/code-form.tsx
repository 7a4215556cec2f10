/** The form for the code of an e-mail that was sent. */
import { useState } from "preact/hooks";
import { strings } from "../../strings/strings.ts";
import { Field } from "./field.tsx";
import { Problem } from "./problem.tsx";
import type { MailType } from "../sign-in-actions.ts";
import { useSignIn } from "../sign-in-context.ts";
import type { SignInProblem } from "../sign-in-problem.ts";
import { useSubmit } from "./use-submit.ts";

interface CodeFormProps {
  readonly email: string;
  readonly type: MailType;
  /** Whether the project creates accounts. */
  readonly mayCreate: boolean;
  readonly onBack: () => void;
}

/** Says that an e-mail was sent, and asks for its code: the link in it works as well. */
export function CodeForm({ email, type, mayCreate, onBack }: CodeFormProps) {
  const { actions } = useSignIn();
  const words = strings.signIn;
  const [code, setCode] = useState("");
  const [problem, setProblem] = useState<SignInProblem | undefined>();
  const [isSentAgain, setSentAgain] = useState(false);
  const { isBusy, form, onSubmit } = useSubmit(async () => {
    setProblem(undefined);
    setProblem(await actions.enterCode(email, code, type));
  });
  const sendAgain = async (): Promise<void> => {
    setSentAgain(false);
    const found = await actions.sendMail(email, { type, mayCreate });
    setProblem(found);
    setSentAgain(found === undefined);
  };
  return (
    <>
      <h2>{words.titles.code}</h2>
      <p>{words.sent(email)}</p>
      <Problem problem={problem} />
      <p role="status">{isSentAgain ? words.sentAgain : ""}</p>
      <form ref={form} onSubmit={onSubmit} class="sign-in-form">
        <Field
          label={words.code}
          type="text"
          autocomplete="one-time-code"
          value={code}
          onValue={setCode}
          isWrong={problem !== undefined}
        />
        <button type="submit" class="sign-in-main" aria-disabled={isBusy}>
          {isBusy ? words.wait : words.submits.code}
        </button>
        <div class="sign-in-ways">
          <button type="button" class="sign-in-way" onClick={() => void sendAgain()}>
            {words.sendAgain}
          </button>
          <button type="button" class="sign-in-way" onClick={onBack}>
            {words.back}
          </button>
        </div>
      </form>
    </>
  );
}
