/** How requests are authenticated. */
import type { Clock } from "../base/clock.ts";
import { Anybody } from "./anybody.ts";
import { ApiKeys, type ApiKey } from "./api-keys.ts";
import type { Authenticator } from "./identity.ts";
import { SupabaseTokens, type SupabaseTokenOptions } from "./supabase-tokens.ts";

/** A way of authentication, and its settings. */
export type AuthOptions =
  | { readonly type: "none" }
  | { readonly type: "supabase"; readonly supabase: SupabaseTokenOptions }
  | { readonly type: "keys"; readonly keys: readonly ApiKey[] };

/** Returns what tells the caller of each request. */
export function createAuthenticator(options: AuthOptions, clock: Clock): Authenticator {
  switch (options.type) {
    case "none":
      return new Anybody();
    case "supabase":
      return new SupabaseTokens(options.supabase, clock);
    case "keys":
      return new ApiKeys(options.keys);
  }
}
