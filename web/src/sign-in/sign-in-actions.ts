/** The ways of signing in, as calls of the project. */
import type { AuthError, GoTrueClient, Provider } from "@supabase/auth-js";
import type { Account } from "./account.ts";
import { toSignInProblem, type SignInProblem } from "./sign-in-problem.ts";

/** The kinds of e-mails with a code. */
export type MailType = "email" | "recovery";

/** Services of {@link SignInActions}. */
export interface SignInServices {
  readonly auth: GoTrueClient;
  readonly account: Account;
  /** The page's address, to which the project sends the browser back. */
  readonly pageUrl: string;
  /** Called before the browser may leave the page, to come back to the same conversation. */
  readonly keepPlace: () => void;
}

/** An address and its password. */
export interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** Each action resolves with its problem; with `undefined` if it has worked. */
export class SignInActions {
  readonly #services: SignInServices;

  constructor(services: SignInServices) {
    this.#services = services;
  }

  /** Signs in with a password. */
  async signIn(credentials: Credentials): Promise<SignInProblem | undefined> {
    const { auth, account } = this.#services;
    return toProblem(await account.change(async () => await auth.signInWithPassword(credentials)));
  }

  /** Creates an account; resolves with `"sent"` if its address must be confirmed first. */
  async signUp(credentials: Credentials): Promise<SignInProblem | "sent" | undefined> {
    const { auth, account, pageUrl, keepPlace } = this.#services;
    keepPlace();
    const options = { emailRedirectTo: pageUrl };
    const result = await account.change(async () => await auth.signUp({ ...credentials, options }));
    return toProblem(result) ?? (result.data.session === null ? "sent" : undefined);
  }

  /** Sends an e-mail with a link and a code, to sign in or to set a new password. */
  async sendMail(
    email: string,
    { type, mayCreate }: { readonly type: MailType; readonly mayCreate: boolean },
  ): Promise<SignInProblem | undefined> {
    const { auth, pageUrl, keepPlace } = this.#services;
    keepPlace();
    if (type === "recovery")
      return toProblem(await auth.resetPasswordForEmail(email, { redirectTo: pageUrl }));
    const options = { emailRedirectTo: pageUrl, shouldCreateUser: mayCreate };
    return toProblem(await auth.signInWithOtp({ email, options }));
  }

  /** Signs in with the code of an e-mail. */
  async enterCode(email: string, code: string, type: MailType): Promise<SignInProblem | undefined> {
    const { auth, account } = this.#services;
    const token = code.replaceAll(/\s/g, "");
    const result = await account.change(
      async () => await auth.verifyOtp({ email, token, type }),
      ({ error }) => error === null && type === "recovery",
    );
    return toProblem(result);
  }

  /** Leaves the page for a provider, which sends the browser back. */
  async continueWith(provider: Provider): Promise<SignInProblem | undefined> {
    const { auth, pageUrl, keepPlace } = this.#services;
    keepPlace();
    return toProblem(await auth.signInWithOAuth({ provider, options: { redirectTo: pageUrl } }));
  }

  /** Sets another password of the signed-in user. */
  async setPassword(password: string): Promise<SignInProblem | undefined> {
    const { auth, account } = this.#services;
    const problem = toProblem(await auth.updateUser({ password }));
    if (problem === undefined) account.keepPassword();
    return problem;
  }
}

function toProblem({ error }: { readonly error: AuthError | null }): SignInProblem | undefined {
  return error === null ? undefined : toSignInProblem(error);
}
