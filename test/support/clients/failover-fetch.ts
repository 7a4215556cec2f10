/**
 * The network of a frontend with several servers and no proxy: each request goes to the next server, over
 * kept connections, and to the others if that one cannot be reached or takes no more turns.
 */

/** A server, whose address changes when it is restarted. */
interface Server {
  readonly url: string;
}

/** What the servers did, as clients see it. */
export class FailoverFetch {
  /** Requests for each server that got a response. */
  readonly answered: number[];
  /** How often a request went to another server, since one could not be reached or was stopping. */
  moved = 0;
  /** Responses with a status above 499, but those of servers that are stopping and take no more turns. */
  readonly failed: string[] = [];
  readonly #servers: readonly Server[];
  #next = 0;

  constructor(servers: readonly Server[]) {
    this.#servers = servers;
    this.answered = servers.map(() => 0);
  }

  /** Fetches as the global one does; the host of the address is any. */
  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const { pathname, search } = new URL(
      typeof input === "string" ? input : "url" in input ? input.url : input,
    );
    let failure: unknown;
    for (let attempt = 0; attempt < this.#servers.length; attempt += 1) {
      const index = this.#next % this.#servers.length;
      this.#next += 1;
      try {
        const response = await fetch(`${this.#servers[index]?.url}${pathname}${search}`, init);
        const stops = await isStopping(response);
        if (!stops || attempt === this.#servers.length - 1) {
          this.answered[index] = (this.answered[index] ?? 0) + 1;
          if (response.status >= 500 && !stops) await this.#note(init?.method ?? "GET", pathname, response);
          return response;
        }
      } catch (error) {
        init?.signal?.throwIfAborted();
        failure = error;
      }
      this.moved += 1;
    }
    throw failure;
  };

  async #note(method: string, path: string, response: Response): Promise<void> {
    this.failed.push(`${method} ${path}: ${response.status} ${await response.clone().text()}`);
  }
}

async function isStopping(response: Response): Promise<boolean> {
  return response.status === 503 && (await response.clone().text()).includes("server_stopping");
}
