/** What the components of signing in may use. */
import type { GoTrueClient } from "@supabase/auth-js";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { PageServices } from "../base/page-context.ts";
import type { Account } from "./account.ts";
import type { Project } from "./auth-client.ts";
import type { SignInActions } from "./sign-in-actions.ts";

/** The services of the page before there is a user. */
export type BaseServices = Pick<PageServices, "config" | "network" | "preferences">;

/** The services of signing in. */
export interface SignInServices extends BaseServices {
  readonly project: Project;
  readonly auth: GoTrueClient;
  readonly account: Account;
  readonly actions: SignInActions;
}

/** Provides {@link SignInServices}. */
export const SignInContext = createContext<SignInServices | undefined>(undefined);

/** Returns the services of signing in. */
export function useSignIn(): SignInServices {
  const services = useContext(SignInContext);
  if (services === undefined) throw new Error("outside of signing in");
  return services;
}
