/** A bucket of Supabase Storage, which keeps the bytes of attachments. */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { Agent, fetch as fetchBy } from "undici";
import { withDeadline } from "../../base/deadline.ts";
import { AppError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";

/** How long one object may take to be written or deleted, in milliseconds. */
const deadlineMs = 30_000;
/** How long an unused connection is kept, in milliseconds: load balancers drop it silently. */
const keepAliveMs = 4_000;

/** How to reach a bucket. */
export interface BucketOptions {
  /** The project's URL. */
  readonly url: string;
  /** Its service-role or secret key. */
  readonly key: string;
  /** The bucket's name. It must be private. */
  readonly name: string;
}

/** A bucket. Every method rejects with `store_unavailable` or `store_refused`. */
export class Bucket {
  readonly #options: BucketOptions;
  readonly #clock: Clock;
  readonly #agent = new Agent({ keepAliveTimeout: keepAliveMs, keepAliveMaxTimeout: keepAliveMs });
  readonly #client: SupabaseClient;

  constructor(options: BucketOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#client = createClient(options.url, options.key, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      global: { fetch: async (input, init) => await this.#fetch(input, init) },
    });
  }

  /** Writes an object that does not exist yet. */
  async write(path: string, bytes: Buffer, mediaType: string): Promise<void> {
    const writing = this.#client.storage
      .from(this.#options.name)
      .upload(path, bytes, { contentType: mediaType, upsert: true, cacheControl: "31536000" });
    const { error } = await this.#settle(writing);
    if (error !== null) throw toFailure(error.message, statusOf(error));
  }

  /** Deletes objects; those that do not exist are no error. */
  async remove(paths: readonly string[]): Promise<void> {
    const removing = this.#client.storage.from(this.#options.name).remove(Array.from(paths));
    const { error } = await this.#settle(removing);
    if (error !== null) throw toFailure(error.message, statusOf(error));
  }

  /** Reads the bytes `start` to `end` (exclusive) of an object, as fast as they are taken. */
  async *read(path: string, start: number, end: number): AsyncGenerator<Buffer> {
    if (start === end) return;
    const { url, key, name } = this.#options;
    // The client's own `download` cannot ask for a range.
    const address = new URL(`/storage/v1/object/authenticated/${name}/${path}`, url);
    const asking = fetchBy(address, {
      headers: { apikey: key, authorization: `Bearer ${key}`, range: `bytes=${start}-${end - 1}` },
      dispatcher: this.#agent,
    });
    const response = await this.#settle(asking);
    if (response.status !== 206 && !(response.status === 200 && start === 0)) {
      await response.body?.cancel();
      throw toFailure(`${path} cannot be read`, response.status);
    }
    for await (const chunk of response.body ?? []) if (chunk instanceof Uint8Array) yield Buffer.from(chunk);
  }

  /** Closes its connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** Settles as `work` does, in time; without a response as `store_unavailable`. */
  async #settle<Result>(work: Promise<Result>): Promise<Result> {
    return await withDeadline(this.#clock, work, deadlineMs).catch((error: unknown) => {
      if (error instanceof AppError) throw error;
      throw new AppError("store_unavailable", `Supabase Storage: ${String(error)}`, { cause: error });
    });
  }

  async #fetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const { method = "GET", headers, body } = init;
    // The agent's own package, whose types are not Node's.
    const response = await fetchBy(input instanceof Request ? input.url : input, {
      method,
      headers: Object.fromEntries(new Headers(headers)),
      body: typeof body === "string" || body instanceof Uint8Array ? body : null,
      dispatcher: this.#agent,
    });
    return new Response(await response.text(), { status: response.status });
  }
}

/** The client's errors have a status if there was a response. */
function statusOf(error: object): number | undefined {
  return "status" in error && typeof error.status === "number" ? error.status : undefined;
}

function toFailure(message: string, status: number | undefined): AppError {
  const isRefused = status !== undefined && status >= 400 && status < 500;
  return new AppError(
    isRefused ? "store_refused" : "store_unavailable",
    `Supabase Storage: ${status ?? "no response"} ${message}`.slice(0, 300),
  );
}
