/** How requests are authenticated. */
import type { Clock } from "../base/clock.ts";
import { Anybody } from "./anybody.ts";
import { ApiKeys, type ApiKey } from "./api-keys.ts";
import type { Authenticator } from "./identity.ts";
import type { SupabaseTokenOptions } from "./supabase-tokens.ts";

/** A way of authentication, and its settings. */
export type AuthOptions =
  | { readonly type: "none" }
  | { readonly type: "supabase"; readonly supabase: SupabaseTokenOptions }
  | { readonly type: "keys"; readonly keys: readonly ApiKey[] };

/** Resolves with what tells the caller of each request. */
export async function createAuthenticator(options: AuthOptions, clock: Clock): Promise<Authenticator> {
  switch (options.type) {
    case "none":
      return new Anybody();
    case "supabase": {
      const { SupabaseTokens } = await import("./supabase-tokens.ts");
      return new SupabaseTokens(options.supabase, clock);
    }
    case "keys":
      return new ApiKeys(options.keys);
  }
}
