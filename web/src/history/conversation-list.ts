/** The user's conversations as far as they are loaded: paged, searched and kept up to date. */
import {
  ForewordError,
  type Conversation,
  type ListedConversation,
  type ConversationPage,
  type Conversations,
} from "../base/foreword-client.ts";
import type { Change, Changes } from "../base/changes.ts";
import type { Clock } from "../base/clock.ts";
import { Store } from "../base/store.ts";

/** How long after the last key a search begins, in milliseconds. */
const searchDelayMs = 150;

/** How long a request may take before the user is told, in milliseconds. */
const patienceMs = 4_000;

/** How many conversations a page has: the first one is shown as soon as possible. */
const firstPageSize = 50;
const nextPageSize = 100;

/** How many pages of new conversations a refresh reads before it begins the list again. */
const maxMissedPages = 10;

/** The most UTF-16 units of a search. */
const maxQueryLength = 200;

/** The conversations to show. */
interface Filter {
  /** The words of a search; `""` for all conversations. */
  readonly query: string;
  readonly isArchived: boolean;
}

/** The list as it is shown. */
export interface ListState {
  /** Those that `conversations` match. */
  readonly shown: Filter;
  /** The wish of the user, which the list follows. */
  readonly wanted: Filter;
  /** Newest first. */
  readonly conversations: readonly ListedConversation[];
  /** Whether older ones can be loaded. */
  readonly hasMore: boolean;
  /** `undefined` until the first page is there. */
  readonly isLoaded: boolean;
  readonly isLoading: boolean;
  /** The reason why the list is not up to date: `"slow"` while the server does not answer. */
  readonly problem: unknown;
}

/** Services of {@link ConversationList}. */
export interface ListServices {
  readonly conversations: Conversations;
  readonly changes: Changes;
  readonly clock: Clock;
}

/** A value that takes the place of a stored one until the server has it. */
type Overlay = Partial<Pick<Conversation, "title">>;

const everything: Filter = { query: "", isArchived: false };

/** Loads and keeps the list. */
export class ConversationList extends Store<ListState> {
  readonly #conversations: Conversations;
  readonly #changes: Changes;
  readonly #clock: Clock;
  #stopListening: (() => void) | undefined;
  /** Aborts the request of a page; another one replaces it. */
  #request: AbortController | undefined;
  #delay: { cancel(): void } | undefined;
  #isStale = false;
  #loaded: readonly ListedConversation[] = [];
  #nextCursor: string | null = null;
  readonly #hidden = new Set<string>();
  #isAllHidden = false;
  readonly #overlays = new Map<string, Overlay>();

  constructor({ conversations, changes, clock }: ListServices) {
    super({
      shown: everything,
      wanted: everything,
      conversations: [],
      hasMore: false,
      isLoaded: false,
      isLoading: false,
      problem: undefined,
    });
    this.#conversations = conversations;
    this.#clock = clock;
    this.#changes = changes;
  }

  /** Follows changes from now on, and loads the first page. */
  open(): void {
    this.#stopListening ??= this.#changes.subscribe((change) => this.#follow(change));
    this.refresh();
  }

  /** Loads the first page again: a list that is loaded keeps its older pages. */
  refresh(): void {
    this.#delay?.cancel();
    void this.#load(this.state.wanted, undefined);
  }

  /** Loads the page after the last one, unless a page is being loaded. */
  loadMore(): void {
    if (this.state.isLoading || this.#nextCursor === null || this.state.problem !== undefined) return;
    void this.#load(this.state.shown, this.#nextCursor);
  }

  /** Searches for the words in `query`, a moment after the last call; all conversations if there are none. */
  search(query: string): void {
    this.#want({ ...this.state.wanted, query }, query.trim() === "" ? 0 : searchDelayMs);
  }

  /** Shows the archived conversations, or the others. */
  showArchived(isArchived: boolean): void {
    if (isArchived !== this.state.wanted.isArchived) this.#want({ ...this.state.wanted, isArchived }, 0);
  }

  /** Takes a conversation out of the list, or brings it back, whatever the server says. */
  hide(id: string, isHidden: boolean): void {
    if (isHidden) this.#hidden.add(id);
    else this.#hidden.delete(id);
    this.#show();
  }

  /** Takes all conversations out of the list, or brings them back, whatever the server says. */
  hideAll(isHidden: boolean): void {
    this.#isAllHidden = isHidden;
    this.#show();
  }

  /** Shows `overlay` in place of the conversation's own values. */
  overlay(id: string, overlay: Overlay): void {
    this.#overlays.set(id, overlay);
    this.#show();
  }

  /** Shows the conversation's own values again, unless another overlay has taken this one's place. */
  endOverlay(id: string, overlay: Overlay): void {
    if (this.#overlays.get(id) !== overlay) return;
    this.#overlays.delete(id);
    this.#show();
  }

  /** Shows a conversation's new state in its place, unless that is in another list or not loaded yet. */
  put(conversation: Conversation): void {
    const { query, isArchived } = this.state.shown;
    const others = this.#loaded.filter(({ id }) => id !== conversation.id);
    const found = others.findIndex((one) => isBefore(one, conversation));
    const place = found < 0 ? others.length : found;
    const isFound = query.trim() === "" || others.length < this.#loaded.length;
    const isReached = found >= 0 || this.#nextCursor === null;
    const isIn = (conversation.archivedAt !== null) === isArchived && isFound && isReached;
    const known = this.#loaded.find(({ id }) => id === conversation.id);
    this.#loaded = isIn ? others.toSpliced(place, 0, { ...known, ...conversation }) : others;
    this.#show();
  }

  /** Forgets a conversation that is gone. */
  remove(id: string): void {
    this.#loaded = this.#loaded.filter((one) => one.id !== id);
    this.#show();
  }

  /** Forgets all conversations. */
  clear(): void {
    this.#loaded = [];
    this.#nextCursor = null;
    this.#show();
  }

  /** Ends everything: a closed list does not change any more. */
  close(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    this.#delay?.cancel();
    this.#request?.abort();
    this.#request = undefined;
  }

  #follow({ type, conversationId }: Change): void {
    if (type === "delete-all") this.clear();
    else if (type === "delete" && conversationId !== undefined) this.remove(conversationId);
    else if (type === "turn-start" || type === "turn-end" || conversationId === undefined)
      this.#refreshSoon();
    else void this.#readAgain(conversationId);
  }

  /** Reads a conversation that has changed: it may be on any page, to which its new state may not belong. */
  async #readAgain(id: string): Promise<void> {
    try {
      const conversation = await this.#conversations.get(id);
      if (this.#stopListening !== undefined) this.put(conversation);
    } catch (error) {
      if (error instanceof ForewordError && error.code === "conversation_not_found") this.remove(id);
      // Otherwise the list keeps the old state until it is refreshed.
    }
  }

  /** Refreshes the list, after the request that is under way: many changes at once need one request. */
  #refreshSoon(): void {
    if (this.state.isLoading) this.#isStale = true;
    else this.refresh();
  }

  #want(wanted: Filter, delayMs: number): void {
    this.#delay?.cancel();
    this.set({ ...this.state, wanted });
    if (delayMs === 0) this.refresh();
    else this.#delay = this.#clock.after(delayMs, () => this.refresh());
  }

  /** Loads one page. An earlier request is aborted: its response is older than this one's wish. */
  async #load(filter: Filter, cursor: string | undefined): Promise<void> {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    this.#isStale = false;
    const slow = this.#clock.after(patienceMs, () => this.set({ ...this.state, problem: "slow" }));
    this.set({ ...this.state, isLoading: true });
    try {
      const page = await this.#read(filter, cursor, request.signal);
      if (request !== this.#request) return;
      this.#take(page, filter, cursor !== undefined);
      this.#finish(undefined, filter);
    } catch (error) {
      if (request === this.#request) this.#finish(error, this.state.shown);
    } finally {
      slow.cancel();
    }
  }

  /**
   * Reads a page; a first page goes on to the rows that are loaded, so that none between them is left
   * out.
   */
  async #read(filter: Filter, cursor: string | undefined, signal: AbortSignal): Promise<ConversationPage> {
    const read = async (from: string | undefined): Promise<ConversationPage> =>
      await this.#conversations.list({
        limit: from === undefined ? firstPageSize : nextPageSize,
        archived: filter.isArchived,
        ...(filter.query.trim() !== "" && { query: toQuery(filter.query) }),
        ...(from !== undefined && { cursor: from }),
        signal,
      });
    let page = await read(cursor);
    if (cursor !== undefined || !isSame(filter, this.state.shown)) return page;
    for (let count = 0; count < maxMissedPages && page.nextCursor !== null; count += 1) {
      const [newest] = this.#loaded;
      const last = page.conversations.at(-1);
      if (newest === undefined || last === undefined || !isBefore(newest, last)) return page;
      const next = await read(page.nextCursor);
      page = { ...next, conversations: [...page.conversations, ...next.conversations] };
    }
    return page;
  }

  #finish(problem: unknown, shown: Filter): void {
    this.#request = undefined;
    this.set({
      ...this.state,
      shown,
      conversations: this.#visible(),
      hasMore: this.#nextCursor !== null,
      isLoaded: this.state.isLoaded || problem === undefined,
      isLoading: false,
      problem,
    });
    if (this.#isStale && problem === undefined) this.refresh();
  }

  #take({ conversations, nextCursor }: ConversationPage, filter: Filter, isNext: boolean): void {
    const fresh = new Set(conversations.map(({ id }) => id));
    const last = conversations.at(-1);
    const [newest] = this.#loaded;
    const isApart = newest === undefined || last === undefined || isBefore(newest, last);
    if (isNext) {
      // A conversation that has changed since the page was read is already in its new place.
      const known = new Set(this.#loaded.map(({ id }) => id));
      this.#loaded = [...this.#loaded, ...conversations.filter(({ id }) => !known.has(id))];
      this.#nextCursor = nextCursor;
    } else if (!isSame(filter, this.state.shown) || nextCursor === null || isApart) {
      this.#loaded = conversations;
      this.#nextCursor = nextCursor;
    } else {
      const older = this.#loaded.filter((one) => !fresh.has(one.id) && isBefore(one, last));
      this.#loaded = [...conversations, ...older];
      if (older.length === 0) this.#nextCursor = nextCursor;
    }
  }

  #show(): void {
    this.set({ ...this.state, conversations: this.#visible(), hasMore: this.#nextCursor !== null });
  }

  #visible(): readonly ListedConversation[] {
    if (this.#isAllHidden) return [];
    return this.#loaded
      .filter(({ id }) => !this.#hidden.has(id))
      .map((one) => ({ ...one, ...this.#overlays.get(one.id) }));
  }
}

/** Returns a search as long as the server takes it, without half of a character at its end. */
function toQuery(text: string): string {
  return text
    .trim()
    .slice(0, maxQueryLength)
    .replace(/[\uD800-\uDBFF]$/, "");
}

function isSame(one: Filter, other: Filter): boolean {
  return one.query.trim() === other.query.trim() && one.isArchived === other.isArchived;
}

/** Whether `one` is older in the list's order than `other`. */
function isBefore(one: Conversation, other: Conversation): boolean {
  if (one.updatedAt !== other.updatedAt) return one.updatedAt < other.updatedAt;
  return one.id < other.id;
}
