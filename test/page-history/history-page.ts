/** A page's history in Node: its state, its clock, and its requests, which a test may hold or break. */
import { randomUUID } from "node:crypto";
import { createClient, type Conversations } from "../../packages/foreword-client/src/client.ts";
import { Changes } from "../../web/src/base/changes.ts";
import type { Store } from "../../web/src/base/store.ts";
import { ConversationActions } from "../../web/src/history/conversation-actions.ts";
import { ConversationList } from "../../web/src/history/conversation-list.ts";
import type { RunningApp } from "../support/apps/start-app.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** A request that the page has sent. */
interface SentRequest {
  readonly method: string;
  readonly url: URL;
}

/** One tab of one user. */
export class HistoryPage {
  readonly clock = new ManualClock();
  readonly changes = new Changes();
  readonly conversations: Conversations;
  readonly list: ConversationList;
  readonly actions: ConversationActions;
  readonly requests: SentRequest[] = [];
  /** Whether requests fail as without a network. */
  isOffline = false;
  /** Called before each response is passed on. */
  hold: (request: SentRequest) => Promise<void> = async () => {};

  constructor(app: RunningApp, userId: string = randomUUID()) {
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const request = {
        method: init?.method ?? "GET",
        url: new URL(input instanceof Request ? input.url : input),
      };
      this.requests.push(request);
      if (this.isOffline) throw new TypeError("no network");
      const response = await globalThis.fetch(input, init);
      await this.hold(request);
      return response;
    };
    const client = createClient({ baseUrl: app.url, userId, fetch, retry: { maxRetries: 0 } });
    this.conversations = client.conversations;
    const services = { conversations: client.conversations, changes: this.changes, clock: this.clock };
    this.list = new ConversationList(services);
    this.actions = new ConversationActions({ ...services, list: this.list });
  }

  /** Creates conversations with these titles, the last one the newest; resolves with their ids. */
  async create(...titles: string[]): Promise<string[]> {
    const ids = [];
    for (const title of titles) ids.push((await this.conversations.create({ title })).id);
    return ids;
  }

  /** Opens the list, and resolves once it is loaded. */
  async open(): Promise<this> {
    this.list.open();
    return await this.untilRead();
  }

  /** Resolves once no page is being loaded. */
  async untilRead(): Promise<this> {
    await until(this.list, ({ isLoading }) => !isLoading);
    return this;
  }

  /** The titles that are shown. */
  get titles(): readonly string[] {
    return this.list.state.conversations.map(({ title }) => title);
  }

  /** The conversation that is shown with this title. */
  named(title: string) {
    const found = this.list.state.conversations.find((one) => one.title === title);
    if (found === undefined) throw new Error(`${title} is not shown`);
    return found;
  }
}

/** Resolves once `isIt` accepts the state. */
export async function until<State>(store: Store<State>, isIt: (state: State) => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    if (isIt(store.state)) resolve();
  };
  const stop = store.subscribe(look);
  look();
  await promise;
  stop();
}
