/** The ways of signing in: providers, and the forms for an e-mail address. */
import { useState } from "preact/hooks";
import { useStore } from "../../base/use-store.ts";
import { strings } from "../../strings/strings.ts";
import { CodeForm } from "./code-form.tsx";
import { EmailForm, type EmailWay } from "./email-form.tsx";
import { Problem } from "./problem.tsx";
import { toProviderName, type ProjectSettings } from "../project-settings.ts";
import { useSignIn } from "../sign-in-context.ts";
import type { MailType } from "../sign-in-actions.ts";
import type { SignInProblem } from "../sign-in-problem.ts";
import { useSettings } from "./use-settings.ts";

/** An e-mail that was sent. */
interface SentMail {
  readonly email: string;
  readonly type: MailType;
}

/** Signs in, step by step. */
export function SignInView() {
  const { account } = useSignIn();
  const words = strings.signIn;
  const { settings, retry } = useSettings();
  const problem = useStore(account.store, (state) => state.problem);
  if (settings === undefined) return <p role="status">{words.wait}</p>;
  if (settings === "failed")
    return (
      <>
        <Problem problem="unreachable" />
        <button type="button" class="sign-in-main" onClick={retry}>
          {words.tryAgain}
        </button>
      </>
    );
  return <Ways settings={settings} found={problem} />;
}

interface WaysProps {
  readonly settings: ProjectSettings;
  readonly found: SignInProblem | undefined;
}

function Ways({ settings, found }: WaysProps) {
  const { account } = useSignIn();
  const words = strings.signIn;
  const [way, setWay] = useState<EmailWay>("password");
  const [email, setEmail] = useState(() => account.store.state.user?.email ?? "");
  const [sent, setSent] = useState<SentMail | undefined>();
  const [problem, setProblem] = useState(found);
  const change = (next: EmailWay): void => {
    setProblem(undefined);
    setWay(next);
  };
  if (sent !== undefined)
    return <CodeForm {...sent} mayCreate={settings.hasSignUp} onBack={() => setSent(undefined)} />;
  const { providers, hasEmail } = settings;
  const isFirst = way === "password" || way === "link";
  return (
    <>
      <h2>{words.titles[way]}</h2>
      <Problem problem={problem} />
      {isFirst && <Providers settings={settings} onProblem={setProblem} />}
      {isFirst && hasEmail && providers.length > 0 && <p class="sign-in-or">{words.or}</p>}
      {!hasEmail && providers.length === 0 && <p>{words.noWay}</p>}
      {hasEmail && (
        <EmailForm
          key={way}
          {...{ way, email, settings, problem }}
          onEmail={setEmail}
          onProblem={setProblem}
          onWay={change}
          onSent={(type) => {
            setProblem(undefined);
            setSent({ email, type });
          }}
        />
      )}
    </>
  );
}

interface ProvidersProps {
  readonly settings: ProjectSettings;
  readonly onProblem: (problem: SignInProblem | undefined) => void;
}

function Providers({ settings, onProblem }: ProvidersProps) {
  const { actions } = useSignIn();
  return (
    <>
      {settings.providers.map((provider) => (
        <button
          type="button"
          key={provider}
          onClick={() => {
            onProblem(undefined);
            void actions.continueWith(provider).then(onProblem);
          }}
        >
          {strings.signIn.continueWith(toProviderName(provider))}
        </button>
      ))}
    </>
  );
}
