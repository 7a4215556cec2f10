/** The ways of signing in that a Supabase project offers. */
import type { Provider } from "@supabase/auth-js";

/** What a project says about itself to everybody. */
export interface ProjectSettings {
  /** Whether users sign in by e-mail: with a password, a link or a code. */
  readonly hasEmail: boolean;
  /** Whether new users may create an account. */
  readonly hasSignUp: boolean;
  /** The names of the providers that are turned on, like `github`. */
  readonly providers: readonly Provider[];
}

/** Ways that are no providers, which are listed beside them. */
const otherWays = new Set(["email", "phone", "anonymous_users", "saml", "sso", "web3", "passkey"]);

/**
 * Asks the project at `url` for its settings.
 * @throws TypeError if it cannot be reached or gives no settings.
 */
export async function loadProjectSettings(
  { url, key }: { readonly url: string; readonly key: string },
  fetch: typeof globalThis.fetch,
): Promise<ProjectSettings> {
  const response = await fetch(`${url}/auth/v1/settings`, { headers: { apikey: key } });
  if (!response.ok) throw new TypeError(`the project's settings: status ${response.status}`);
  return toSettings(await response.json());
}

/** Returns the settings in a response; unknown fields are ignored. */
function toSettings(body: unknown): ProjectSettings {
  const { external, disable_signup: isClosed } = toRecord(body);
  const ways = Object.entries(toRecord(external)).flatMap(([name, isOn]) => (isOn === true ? [name] : []));
  if (external === undefined) throw new TypeError("the project's settings: unknown form");
  return {
    hasEmail: ways.includes("email"),
    hasSignUp: isClosed !== true,
    providers: ways.filter(isProvider).toSorted(),
  };
}

function isProvider(name: string): name is Provider {
  return !otherWays.has(name) && /^[a-z0-9_:-]{1,64}$/i.test(name);
}

/** The names of providers as they write them; those of others are made of their ids. */
const names: Readonly<Record<string, string>> = {
  azure: "Microsoft",
  github: "GitHub",
  gitlab: "GitLab",
  linkedin: "LinkedIn",
  linkedin_oidc: "LinkedIn",
  slack_oidc: "Slack",
  twitter: "X",
  workos: "WorkOS",
};

/** Returns the name of a provider for its users. */
export function toProviderName(provider: string): string {
  const known = Object.hasOwn(names, provider) ? names[provider] : undefined;
  const name = provider.replace(/^custom:/, "").replace(/[_:-]+/g, " ");
  return known ?? name.charAt(0).toUpperCase() + name.slice(1);
}

function toRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
