/** `foreword-client/supabase`: sends the access token of a supabase-js client with each request. */
import { abortable } from "../abortable.ts";
import { ForewordError } from "../foreword-error.ts";

/** The result of supabase-js when it is asked for a session. */
interface SessionResult {
  readonly data: { readonly session: { readonly access_token: string } | null };
  readonly error: { readonly name: string } | null;
}

/** The part of a supabase-js client (version 2) that is used: pass the client itself. */
export interface SupabaseClient {
  readonly auth: {
    getSession(): PromiseLike<SessionResult>;
    refreshSession(): PromiseLike<SessionResult>;
  };
}

/** Options of {@link supabaseAuth}. */
export interface SupabaseAuthOptions {
  /** Sends the requests; it must honor their `signal`. Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** Options of `createClient`. */
export interface SupabaseAuth {
  readonly headers: () => Promise<Record<string, string>>;
  readonly fetch: typeof globalThis.fetch;
}

/**
 * Returns options of `createClient` for a server with `AUTH=supabase`.
 *
 * Each request carries the access token of the moment, which supabase-js refreshes if it has expired. If the
 * server still responds with 401, the session is refreshed and the request sent again, once: the error is
 * thrown if that does not help either. Requests that run at the same time share a refresh. Without a session,
 * requests carry no token. If Supabase cannot be reached, requests are retried as if the server could not be.
 * @example
 * const foreword = createClient({ baseUrl, ...supabaseAuth(supabase) });
 */
export function supabaseAuth(
  supabase: SupabaseClient,
  { fetch = globalThis.fetch }: SupabaseAuthOptions = {},
): SupabaseAuth {
  const refresh = createRefresh(supabase);
  return {
    headers: async () => toHeaders(await readToken(supabase.auth.getSession())),
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      const headers = new Headers(init?.headers);
      const [, refused] = /^Bearer (.+)$/.exec(headers.get("authorization") ?? "") ?? [];
      if (response.status !== 401 || refused === undefined) return response;
      const token = await abortable(refresh(refused), init?.signal ?? undefined);
      if (token === undefined) return response;
      await response.body?.cancel();
      headers.set("authorization", `Bearer ${token}`);
      return await fetch(input, { ...init, headers });
    },
  };
}

/**
 * Returns a function that resolves with another token than the refused one, or with `undefined`. A token that
 * was refreshed and then refused, too, is not refreshed again: the server accepts none of this project.
 */
function createRefresh(supabase: SupabaseClient): (refused: string) => Promise<string | undefined> {
  let refreshing: Promise<string | undefined> | undefined;
  let latest: string | undefined;
  return async (refused) => {
    const current = await readToken(supabase.auth.getSession());
    if (current !== refused) return current; // refreshed, or signed out, in the meantime
    if (refused === latest) return undefined;
    refreshing ??= readToken(supabase.auth.refreshSession()).finally(() => (refreshing = undefined));
    // Without a result, another tab may have refreshed the session at the same time.
    latest = (await refreshing) ?? (await readToken(supabase.auth.getSession()));
    return latest === refused ? undefined : latest;
  };
}

/** Resolves with a session's token; `undefined` if there is no session, or none any longer. */
async function readToken(result: PromiseLike<SessionResult>): Promise<string | undefined> {
  const { data, error } = await result;
  if (error?.name === "AuthRetryableFetchError")
    throw new ForewordError("connection_lost", "the session could not be refreshed", { cause: error });
  return data.session?.access_token;
}

function toHeaders(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
