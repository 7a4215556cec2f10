/** Rows in a Supabase project, over its HTTP API (PostgREST). */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { Agent, fetch as fetchBy } from "undici";
import { AppError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { Caller } from "../../base/caller.ts";
import type { JsonObject } from "../../base/json.ts";
import { toArgument, type Database, type FunctionName } from "./database.ts";
import { SecondTries } from "./second-tries.ts";
import { Semaphore, type PoolState } from "../../base/semaphore.ts";
import { toStoreFailure } from "./sql-failure.ts";

/** Concurrent calls: PostgREST has ten connections by default, and queues the rest. */
const maxCalls = 32;
/**
 * How long an unused connection is kept, whatever the server says: NAT and load balancers drop it silently.
 */
const keepAliveMs = 4_000;

/** The project, and the key to call it with. */
export interface SupabaseOptions {
  readonly url: string;
  readonly key: string;
  /** Whether each call carries its caller's access token, because the key is the anonymous one. */
  readonly usesCallerToken: boolean;
}

/** A Supabase project with the schema. */
export class SupabaseDatabase implements Database {
  readonly #agent = new Agent({ keepAliveTimeout: keepAliveMs, keepAliveMaxTimeout: keepAliveMs });
  /** Opens a new connection for each request. */
  readonly #freshAgent = new Agent({ pipelining: 0 });
  readonly #client: SupabaseClient;
  readonly #freshClient: SupabaseClient;
  readonly #clock: Clock;
  readonly #usesCallerToken: boolean;
  readonly #semaphore = new Semaphore(maxCalls);
  readonly #tries = new SecondTries(maxCalls / 2);

  constructor(options: SupabaseOptions, clock: Clock) {
    this.#clock = clock;
    this.#usesCallerToken = options.usesCallerToken;
    this.#client = connect(options, this.#agent);
    this.#freshClient = connect(options, this.#freshAgent);
  }

  get pool(): PoolState {
    return this.#semaphore.state;
  }

  async call(name: FunctionName, argument: JsonObject, caller: Caller, version?: number): Promise<unknown> {
    const ask = async (isSecond: boolean, signal: AbortSignal): Promise<unknown> => {
      const client = isSecond ? this.#freshClient : this.#client;
      // Converted to JSON when its turn comes: a waiting call holds no second copy of a reply.
      return await this.#semaphore.run(async () => {
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
          body: typeof body === "string" ? body : null, // the client sends JSON only
          signal,
          dispatcher,
        }),
    },
  });
}

/**
 * Returns the result of a function, which is an object or a list. The client reports an empty response of any
 * status as success; a wrong URL or a gateway sends those. @throws AppError `store_unavailable`.
 */
function toRows(data: unknown, status: number): unknown {
  if (typeof data === "object" && data !== null) return data;
  throw new AppError(
    "store_unavailable",
    `SUPABASE_URL responded with ${status} and no rows: check the proxy or gateway in front of PostgREST`,
  );
}

/** A connection that was lost in use, rather than one that could not be opened. */
function isLoss(error: unknown): boolean {
  return (
    error instanceof AppError &&
    /ECONNRESET|EPIPE|UND_ERR_SOCKET|other side closed/.test(JSON.stringify(error.cause))
  );
}

/** The client's report of a request that failed or was refused. */
interface RequestError {
  readonly code?: string;
  readonly message?: string;
  readonly details?: string | null;
}

/** For a request that never arrived the client's message says only that: the reason is in the stack. */
function toCauseOf({ message = "", details }: RequestError): string | undefined {
  return message.includes("fetch failed") ? /Caused by: (.*)/.exec(details ?? "")?.[1] : undefined;
}

function toFailure(error: RequestError, status: number): AppError {
  const code = error.code ?? "";
  const message = (toCauseOf(error) ?? error.message ?? "").slice(0, 300);
  // Without a code the response comes from a gateway, or is PostgREST's own 400 for a dead connection: not
  // our fault, unless it says that the key or the URL is wrong.
  if (code === "" && [401, 403, 404, 413].includes(status))
    return toStoreFailure(`HTTP ${status}`, message, error);
  return toStoreFailure(code, message, error);
}
