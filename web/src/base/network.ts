/** Whether the server can be reached, as the requests of the page tell. */
import { browserClock, type Clock } from "./clock.ts";
import { Store } from "./store.ts";

/** `offline`: the browser has no network; `reconnecting`: the last request did not reach the server. */
export type NetworkState = "online" | "offline" | "reconnecting";

/** The longest pause before a lost connection is tried again, in milliseconds. */
const retryMs = 5_000;

/** Watches requests. */
export class Network {
  readonly store = new Store<NetworkState>("online");
  readonly #fetch: typeof globalThis.fetch;
  readonly #clock: Clock;
  #sent = 0;
  /**
   * The number of requests that were sent before the browser went offline: their responses tell nothing
   * new.
   */
  #sentBefore = 0;

  constructor(fetch: typeof globalThis.fetch, clock: Clock = browserClock) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** Sends a request, and notes whether it has reached the server. */
  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const number = ++this.#sent;
    const fetch = this.#fetch; // called on its own: a browser's does not accept another `this`
    try {
      const response = await fetch(input, init);
      if (number > this.#sentBefore) this.#set(isGatewayError(response) ? "reconnecting" : "online");
      return response;
    } catch (error) {
      if (init?.signal?.aborted !== true) this.#set("reconnecting");
      throw error;
    }
  };

  /** Takes the browser's word that it is online or offline. */
  setOnline(isOnline: boolean): void {
    this.#sentBefore = this.#sent;
    this.store.set(isOnline ? "online" : "offline");
  }

  /** Resolves when it is time to try again: after a pause, or when the network is back. */
  async waitToRetry(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.after(retryMs, resolve);
    const unsubscribe = this.store.subscribe(() => {
      if (this.store.state === "online") resolve();
    });
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    timer.cancel();
    unsubscribe();
  }

  #set(state: NetworkState): void {
    if (this.store.state === "offline" && state === "reconnecting") return;
    this.store.set(state);
  }
}

/** Whether a response comes from a gateway that did not reach the server. */
function isGatewayError({ status, headers }: Response): boolean {
  const isOwn = headers.get("content-type")?.startsWith("application/problem+json") === true;
  return status >= 502 && status <= 504 && !isOwn;
}
