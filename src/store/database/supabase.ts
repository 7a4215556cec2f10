/** Rows in a Supabase project, over its HTTP API (PostgREST). */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { Agent, fetch as fetchBy } from "undici";
import { AppError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { Caller } from "../../base/caller.ts";
import { toArgument, type Database, type FunctionName, type JsonObject } from "./database.ts";
import { SecondTries } from "./second-try.ts";
import { Semaphore } from "../../base/semaphore.ts";
import { toStoreFailure } from "./sql-failure.ts";

/** How many calls are out at once: PostgREST has ten connections, unless told otherwise, and lets the rest wait. */
const maxCalls = 32;
/** How long an unused connection is kept, whatever its server says: NAT and load balancers forget it without a word. */
const keepAliveMs = 4_000;

/** Which project, and the key it is asked with. */
export interface SupabaseOptions {
  readonly url: string;
  readonly key: string;
  /** Whether each call carries its caller's access token: the key is the anonymous one. */
  readonly usesCallerToken: boolean;
}

/** A Supabase project with the schema in it. */
export class SupabaseDatabase implements Database {
  readonly #agent = new Agent({ keepAliveTimeout: keepAliveMs, keepAliveMaxTimeout: keepAliveMs });
  /** Each of its requests has a connection of its own. */
  readonly #freshAgent = new Agent({ pipelining: 0 });
  readonly #client: SupabaseClient;
  readonly #freshClient: SupabaseClient;
  readonly #clock: Clock;
  readonly #usesCallerToken: boolean;
  readonly #slots = new Semaphore(maxCalls);
  readonly #tries = new SecondTries(maxCalls / 2);

  constructor(options: SupabaseOptions, clock: Clock) {
    this.#clock = clock;
    this.#usesCallerToken = options.usesCallerToken;
    this.#client = connect(options, this.#agent);
    this.#freshClient = connect(options, this.#freshAgent);
  }

  async call(name: FunctionName, argument: JsonObject, caller: Caller, version?: number): Promise<unknown> {
    const ask = async (isSecond: boolean, signal: AbortSignal): Promise<unknown> => {
      const client = isSecond ? this.#freshClient : this.#client;
      // It becomes JSON when its turn comes: until then it holds no second copy of a reply.
      return await this.#slots.run(async () => {
        const request = client.rpc(name, { argument: toArgument(argument, caller, version) });
        return await this.#send(request, caller, signal);
      });
    };
    return await this.#tries.run(name, { clock: this.#clock, ask, isLoss });
  }

  async close(): Promise<void> {
    await Promise.all([this.#agent.destroy(), this.#freshAgent.destroy()]);
  }

  async #send(
    request: ReturnType<SupabaseClient["rpc"]>,
    { accessToken }: Caller,
    signal: AbortSignal,
  ): Promise<unknown> {
    if (this.#usesCallerToken && accessToken !== undefined)
      request.setHeader("Authorization", `Bearer ${accessToken}`);
    const { data, error, status } = await request.abortSignal(signal);
    if (error !== null) throw toFailure(error, status);
    return toRows(data, status);
  }
}

function connect({ url, key }: SupabaseOptions, dispatcher: Agent): SupabaseClient {
  return createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: {
      fetch: async (input, { method = "GET", headers, body, signal = null } = {}) =>
        await fetchBy(input instanceof Request ? input.url : input, {
          method,
          headers: Object.fromEntries(new Headers(headers)),
          body: typeof body === "string" ? body : null, // the client sends JSON, and nothing else
          signal,
          dispatcher,
        }),
    },
  });
}

/**
 * Returns an answer of a function, which is an object or a list. The client reports an empty answer of any status as success, as a wrong
 * address or a gateway gives. @throws AppError `store_unavailable`.
 */
function toRows(data: unknown, status: number): unknown {
  if (typeof data === "object" && data !== null) return data;
  throw new AppError(
    "store_unavailable",
    `SUPABASE_URL answered ${status} without rows: look at what stands before PostgREST`,
  );
}

/** A connection that was lost while it was used, rather than one that could not be made. */
function isLoss(error: unknown): boolean {
  return (
    error instanceof AppError &&
    /ECONNRESET|EPIPE|UND_ERR_SOCKET|other side closed/.test(JSON.stringify(error.cause))
  );
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
