/** The user of this browser: who is signed in, in this tab and in others. */
import type { GoTrueClient } from "@supabase/auth-js";
import { Store } from "../base/store.ts";
import { toSignInProblem, type SignInProblem } from "./sign-in-problem.ts";
import {
  keepOnly,
  readSession,
  readSignedIn,
  removeAll,
  removeLeftovers,
  type AccountUser,
  type SessionStorage,
} from "./stored-session.ts";

/** The user, and the question that the page has for them. */
export interface AccountState {
  /** The user whose page is shown. */
  readonly user: AccountUser | undefined;
  /** `signIn` with a user: their session has ended, the page stays. */
  readonly ask: "nothing" | "wait" | "signIn" | "newPassword";
  /** Why `signIn` is asked, unless it is the first time. */
  readonly problem: SignInProblem | undefined;
}

/** The browser, as far as an account needs it. */
export interface AccountServices {
  readonly auth: GoTrueClient;
  readonly storage: SessionStorage;
  /** Opens the page again, so that it holds nothing of the earlier user. */
  readonly reload: () => void;
  /** Deletes the files that the browser keeps of earlier users. */
  readonly forgetFiles: () => void;
}

/** How long signing out waits for the project, in milliseconds. */
const signOutMs = 3_000;

/** Follows the session in the browser's storage, which all tabs share. */
export class Account {
  readonly store = new Store<AccountState>({ user: undefined, ask: "wait", problem: undefined });
  readonly #services: AccountServices;
  /** A token that the server refuses although it has not expired. */
  #refused: string | undefined;
  /** Whether the state stays as it is for now. */
  #isHeld = false;
  #hasLeft = false;

  constructor(services: AccountServices) {
    this.#services = services;
  }

  /** Reads the session, after `code` has been exchanged for one; then keeps it fresh. */
  async open(code: string | undefined, problem?: SignInProblem): Promise<void> {
    const { auth, storage } = this.#services;
    removeLeftovers(storage);
    auth.onAuthStateChange(() => this.look());
    const found = (code === undefined ? undefined : await this.#exchange(code)) ?? problem;
    void auth.initialize();
    this.look();
    const { user, ask } = this.store.state;
    if (user === undefined && ask !== "newPassword") this.#set({ ask: "signIn", problem: found });
  }

  /** Compares the page with the storage: another tab may have changed that. */
  look(): void {
    if (this.#isHeld || this.#hasLeft) return;
    const { storage } = this.#services;
    const { user, ask } = this.store.state;
    const session = readSession(storage);
    if (user === undefined) {
      if (session !== undefined) this.#enter(session.user);
    } else if (session !== undefined && session.user.id !== user.id) this.#leave();
    else if (readSignedIn(storage) !== user.id) this.#leave();
    else if (session === undefined) this.#set({ ask: "signIn", problem: "sessionEnded" });
    else if (ask === "signIn" && session.token !== this.#refused)
      this.#set({ ask: "nothing", problem: undefined });
  }

  /** Runs `work`, which changes the session, and looks at the result; then asks for a new password if so. */
  async change<Result>(
    work: () => Promise<Result>,
    needsPassword: (result: Result) => boolean = () => false,
  ): Promise<Result> {
    this.#isHeld = true;
    try {
      const result = await work();
      this.#isHeld = false;
      this.look();
      if (!this.#hasLeft && needsPassword(result)) this.#set({ ask: "newPassword", problem: undefined });
      return result;
    } finally {
      this.#isHeld = false;
    }
  }

  /** Asks for signing in again, since the server has refused `token`; resolves once that is done. */
  async signInAgain(token: string | undefined, signal: AbortSignal | undefined): Promise<void> {
    const session = readSession(this.#services.storage);
    if (token !== undefined && session !== undefined && session.token !== token) return; // refreshed by now
    this.#refused = token;
    const problem = session === undefined ? "sessionEnded" : "tokenRefused";
    if (this.store.state.user !== undefined) this.#set({ ask: "signIn", problem });
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = this.store.subscribe(() => {
      if (this.store.state.ask !== "signIn") resolve();
    });
    signal?.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    stop();
    signal?.throwIfAborted();
  }

  /** Keeps the password as it is. */
  keepPassword(): void {
    this.#set({ ask: "nothing" });
  }

  /** Ends the session of this device, and forgets all that the browser keeps of the user. */
  async signOut(): Promise<void> {
    const { auth, storage } = this.#services;
    const session = readSession(storage);
    this.#hasLeft = true;
    this.#forget();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, signOutMs);
    // Without a connection the project keeps a session whose tokens are gone.
    if (session !== undefined)
      await Promise.race([late, auth.admin.signOut(session.token, "local")]).catch(() => {});
    this.#reload();
  }

  async #exchange(code: string): Promise<SignInProblem | undefined> {
    const { auth } = this.#services;
    const { error } = await this.change(
      async () => await auth.exchangeCodeForSession(code),
      ({ data }) => "redirectType" in data && data.redirectType === "recovery",
    );
    return error === null ? undefined : toSignInProblem(error);
  }

  #enter(user: AccountUser): void {
    if (keepOnly(this.#services.storage, user.id)) this.#services.forgetFiles();
    this.#set({ user, ask: "nothing", problem: undefined });
  }

  #leave(): void {
    this.#hasLeft = true;
    this.#reload();
  }

  #forget(): void {
    removeAll(this.#services.storage);
    this.#services.forgetFiles();
  }

  #reload(): void {
    this.#set({ user: undefined, ask: "wait", problem: undefined });
    this.#services.reload();
  }

  #set(change: Partial<AccountState>): void {
    this.store.set({ ...this.store.state, ...change });
  }
}
