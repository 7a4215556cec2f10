/** A sentence on why signing in did not work. */
import { strings } from "../../strings/strings.ts";
import type { SignInProblem } from "../sign-in-problem.ts";

/** The id of the sentence, for the fields that it is about. */
export const problemId = "sign-in-problem";

/** Tells the problem, to screen readers at once; the place for it is always there. */
export function Problem({ problem }: { readonly problem: SignInProblem | undefined }) {
  return (
    <div role="alert" id={problemId} class="sign-in-problem">
      {problem !== undefined && <p>{strings.signIn.problems[problem]}</p>}
    </div>
  );
}
