/** Owns rows in a Supabase project, over its HTTP API (PostgREST). */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { AppError } from "../errors.ts";
import type { Caller, Clock } from "../turn/ports.ts";
import { callDeadlineMs, toArgument, type Database, type FunctionName, type JsonObject } from "./database.ts";
import { Slots } from "./slots.ts";
import { toStoreFailure, withDeadline } from "./store-failure.ts";

/** How many calls are out at once: PostgREST has ten connections, unless told otherwise, and lets the rest wait. */
const maxCalls = 32;

/** Which project, and the key it is asked with. */
export interface SupabaseOptions {
  readonly url: string;
  readonly key: string;
  /** Whether each call carries its caller's access token: the key is the anonymous one. */
  readonly usesCallerToken: boolean;
}

/** A Supabase project with the schema in it. */
export class SupabaseDatabase implements Database {
  readonly #client: SupabaseClient;
  readonly #clock: Clock;
  readonly #usesCallerToken: boolean;
  readonly #slots = new Slots(maxCalls);

  constructor(options: SupabaseOptions, clock: Clock) {
    this.#clock = clock;
    this.#usesCallerToken = options.usesCallerToken;
    this.#client = createClient(options.url, options.key, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    });
  }

  async call(name: FunctionName, argument: JsonObject, caller: Caller, version?: number): Promise<unknown> {
    const abort = new AbortController();
    const work = this.#slots.run(
      async () => await this.#request(name, argument, caller, version).abortSignal(abort.signal),
    );
    const answer = await withDeadline(this.#clock, work, callDeadlineMs, () => abort.abort());
    const data: unknown = answer.data;
    if (answer.error !== null) throw toFailure(answer.error, answer.status);
    // The client reports an empty answer of any status as success, as a wrong address or a gateway gives. All functions answer with an
    // object or a list.
    if (typeof data !== "object" || data === null)
      throw new AppError(
        "store_unavailable",
        `SUPABASE_URL answered ${answer.status} without rows: look at what stands before PostgREST`,
      );
    return data;
  }

  async close(): Promise<void> {}

  #request(
    name: FunctionName,
    argument: JsonObject,
    caller: Caller,
    version: number | undefined,
  ): ReturnType<SupabaseClient["rpc"]> {
    const request = this.#client.rpc(name, { argument: toArgument(argument, caller, version) });
    if (this.#usesCallerToken && caller.accessToken !== undefined) {
      request.setHeader("Authorization", `Bearer ${caller.accessToken}`);
    }
    return request;
  }
}

/** What the client makes of a request that failed, or was refused. */
interface RequestError {
  readonly code?: string;
  readonly message?: string;
  readonly details?: string | null;
}

/** Of a request that never arrived the client's message says only that: why stands behind the stack. */
function toCauseOf({ message = "", details }: RequestError): string | undefined {
  return message.includes("fetch failed") ? /Caused by: (.*)/.exec(details ?? "")?.[1] : undefined;
}

function toFailure(error: RequestError, status: number): AppError {
  const code = error.code ?? "";
  const message = (toCauseOf(error) ?? error.message ?? "").slice(0, 300);
  // Without a code the answer is a gateway's, or PostgREST's own 400 for a connection that had died: none to be blamed
  // on us, except where it says that the key or the address is wrong.
  if (code === "" && [401, 403, 404, 413].includes(status))
    return toStoreFailure(`HTTP ${status}`, message, error);
  return toStoreFailure(code, message, error);
}
