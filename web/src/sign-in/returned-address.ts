/** The address to which a project sends the browser back, from a provider or an e-mail. */
import { toSignInProblem, type SignInProblem } from "./sign-in-problem.ts";

/** The result of signing in elsewhere. */
export interface Returned {
  /** To be exchanged for a session. */
  readonly code: string | undefined;
  readonly problem: SignInProblem | undefined;
}

/** The parameters of such an address. */
const parameters = [
  "code",
  "error",
  "error_code",
  "error_description",
  "state",
  "sb",
  "sb_flow_id",
  "access_token",
  "refresh_token",
  "provider_token",
  "provider_refresh_token",
  "expires_in",
  "expires_at",
  "token_type",
  "type",
];

/** Returns the result in an address, and that address without it; `undefined` if it has none. */
export function readReturned(
  href: string,
): { readonly returned: Returned; readonly clean: string } | undefined {
  const url = new URL(href);
  const inHash = new URLSearchParams(url.hash.slice(1));
  const read = (name: string): string | undefined =>
    url.searchParams.get(name) ?? inHash.get(name) ?? undefined;
  const code = url.searchParams.get("code") ?? undefined;
  const error = read("error_code") ?? read("error");
  const isToken = inHash.has("access_token");
  if (code === undefined && error === undefined && !isToken) return undefined;
  for (const name of parameters) url.searchParams.delete(name);
  if (!url.hash.startsWith("#/")) url.hash = "";
  const isKnown = error !== undefined && toSignInProblem({ code: error }) !== "other";
  const problem =
    error !== undefined
      ? toSignInProblem({ code: isKnown ? error : read("error") })
      : isToken
        ? "other" // a session in the address could be anybody's: only codes that this browser asked for count
        : undefined;
  return { returned: { code: error === undefined ? code : undefined, problem }, clean: url.href };
}
