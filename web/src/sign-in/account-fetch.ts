/** The requests of a signed-in user: none fails because a session has ended, it waits for the next one. */
import { supabaseAuth } from "foreword-client/supabase";
import type { GoTrueClient } from "@supabase/auth-js";
import type { Network } from "../base/network.ts";
import type { Account } from "./account.ts";

type Sending = ReturnType<typeof supabaseAuth>;

/** How long the last changes may take before a user is signed out, in milliseconds. */
const settleMs = 3_000;

/** Sends requests with the token of the moment. */
export class AccountFetch {
  /** For `createClient`. */
  readonly options: Sending;
  readonly #account: Account;
  readonly #changes = new Set<Promise<unknown>>();

  constructor(auth: GoTrueClient, account: Account, network: Network) {
    this.#account = account;
    const sender = supabaseAuth({ auth }, { fetch: network.fetch });
    this.options = {
      headers: sender.headers,
      fetch: async (input, init) => {
        const sending = this.#send(sender, input, init);
        if ((init?.method ?? "GET") === "GET") return await sending;
        this.#changes.add(sending);
        try {
          return await sending;
        } finally {
          this.#changes.delete(sending);
        }
      },
    };
  }

  /** Resolves once the changes that are being sent have arrived, or after a while. */
  async settle(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, settleMs);
    await new Promise((sent) => setTimeout(sent)); // requests read their token first
    await Promise.race([late, Promise.allSettled(this.#changes)]);
  }

  async #send(
    { headers, fetch }: Sending,
    input: RequestInfo | URL,
    init: RequestInit | undefined,
  ): Promise<Response> {
    const sent = new Headers(init?.headers);
    for (;;) {
      const response = await fetch(input, { ...init, headers: sent });
      if (response.status !== 401) return response;
      const [, token] = /^Bearer (.+)$/.exec(sent.get("authorization") ?? "") ?? [];
      await response.body?.cancel();
      await this.#account.signInAgain(token, init?.signal ?? undefined);
      sent.delete("authorization");
      for (const [name, value] of Object.entries(await headers())) sent.set(name, value);
    }
  }
}
