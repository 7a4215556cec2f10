/** Why signing in did not work, as the names of sentences. */

/** The names of the sentences. */
export type SignInProblem =
  | "wrongPassword"
  | "notConfirmed"
  | "expired"
  | "otherBrowser"
  | "refused"
  | "tooMany"
  | "taken"
  | "noSignUp"
  | "weakPassword"
  | "samePassword"
  | "badEmail"
  | "mailRefused"
  | "banned"
  | "notOffered"
  | "captcha"
  | "unreachable"
  | "sessionEnded"
  | "tokenRefused"
  | "other";

/** Problems by the codes of Supabase Auth. */
const byCode: Readonly<Record<string, SignInProblem>> = {
  access_denied: "refused",
  bad_code_verifier: "otherBrowser",
  bad_oauth_callback: "expired",
  bad_oauth_state: "expired",
  captcha_failed: "captcha",
  email_address_invalid: "badEmail",
  email_address_not_authorized: "mailRefused",
  email_exists: "taken",
  email_not_confirmed: "notConfirmed",
  email_provider_disabled: "notOffered",
  flow_state_expired: "expired",
  flow_state_not_found: "expired",
  invalid_credentials: "wrongPassword",
  oauth_provider_not_supported: "notOffered",
  otp_disabled: "noSignUp",
  otp_expired: "expired",
  over_email_send_rate_limit: "tooMany",
  over_request_rate_limit: "tooMany",
  pkce_code_verifier_not_found: "otherBrowser",
  provider_disabled: "notOffered",
  provider_email_needs_verification: "notConfirmed",
  same_password: "samePassword",
  server_error: "refused",
  session_expired: "sessionEnded",
  session_not_found: "sessionEnded",
  signup_disabled: "noSignUp",
  temporarily_unavailable: "unreachable",
  user_already_exists: "taken",
  user_banned: "banned",
  validation_failed: "badEmail",
  weak_password: "weakPassword",
};

/** Problems by the names of errors without a code, of Supabase's library. */
const byName: Readonly<Record<string, SignInProblem>> = {
  AuthPKCECodeVerifierMissingError: "otherBrowser",
  AuthRetryableFetchError: "unreachable",
  AuthSessionMissingError: "sessionEnded",
  AuthWeakPasswordError: "weakPassword",
};

/** An error of Supabase's library, or of an address that the project has sent the browser to. */
interface AuthFault {
  readonly name?: string | undefined;
  readonly code?: string | undefined;
  readonly status?: number | undefined;
}

/** Returns the problem that an error stands for. */
export function toSignInProblem({ name = "", code = "", status }: AuthFault): SignInProblem {
  if (Object.hasOwn(byCode, code)) return byCode[code] ?? "other";
  if (Object.hasOwn(byName, name)) return byName[name] ?? "other";
  return status === 429 ? "tooMany" : "other";
}
