/** Supabase's sign-in library, set up for the page: a bad network ends no session. */
import { GoTrueClient } from "@supabase/auth-js";
import type { Network } from "../base/network.ts";
import { sessionKey } from "./stored-session.ts";

/** A Supabase project, as browsers reach it. */
export interface Project {
  readonly url: string;
  readonly key: string;
}

/** Returns the client of the project. */
export function createAuthClient({ url, key }: Project, network: Network): GoTrueClient {
  return new GoTrueClient({
    url: `${url}/auth/v1`,
    headers: { apikey: key },
    storageKey: sessionKey,
    storage: localStorage,
    flowType: "pkce",
    detectSessionInUrl: false, // the account does that, and says in words what is wrong with an address
    skipAutoInitialize: true,
    fetch: toPatientFetch(network),
  });
}

/**
 * Returns a fetch that repeats exchanges of tokens until the project has responded. Otherwise the library
 * would return no session, like that of a user who has signed out, and would then not ask again for a minute.
 */
function toPatientFetch(network: Network): typeof globalThis.fetch {
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    if (!/\/token\?grant_type=(?:refresh_token|pkce)$/.test(url)) return await fetch(input, init);
    for (;;) {
      try {
        const response = await network.fetch(input, init);
        if (response.status < 500 && response.status !== 429) return response;
      } catch {
        // no connection: the same as a response of a gateway
      }
      await network.waitToRetry(new AbortController().signal);
    }
  };
}
