/**
 * A browser's chat page in Node: its tabs, what it keeps, and its requests, which a test may hold or
 * break.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createClient } from "../../packages/foreword-client/src/client.ts";
import { Changes } from "../../web/src/base/changes.ts";
import { Network } from "../../web/src/base/network.ts";
import type { Store } from "../../web/src/base/store.ts";
import { BrowserMemory } from "../../web/src/chat/conversation/browser-memory.ts";
import { Conversation } from "../../web/src/chat/conversation/conversation.ts";
import { Drafts } from "../../web/src/chat/conversation/drafts.ts";
import type { FileStorage, KeptFile } from "../../web/src/chat/conversation/kept-files.ts";
import type { Message, ReplyContent } from "../../web/src/chat/conversation/message.ts";
import type { RunningApp } from "../support/apps/start-app.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** How long the page may take to come to a state, in milliseconds. */
const patienceMs = 8_000;

/** A browser's `localStorage`. */
class TextStorage extends Map<string, string> {
  isFull = false;

  get length(): number {
    return this.size;
  }

  key(index: number): string | null {
    return Array.from(this.keys())[index] ?? null;
  }

  getItem(key: string): string | null {
    return this.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    if (this.isFull) throw new DOMException("full", "QuotaExceededError");
    this.set(key, value);
  }

  removeItem(key: string): void {
    this.delete(key);
  }
}

/** The files that a browser keeps. */
class TestFiles implements FileStorage {
  readonly kept: Map<string, File>;

  constructor(earlier: Iterable<readonly [string, File]> = []) {
    this.kept = new Map(earlier);
  }

  async put({ id, file }: KeptFile): Promise<void> {
    this.kept.set(id, file);
  }

  async get(id: string): Promise<File | undefined> {
    return this.kept.get(id);
  }

  async delete(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.kept.delete(id);
  }

  async ids(): Promise<readonly string[]> {
    return Array.from(this.kept.keys());
  }
}

/** A request that a page has sent. */
interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** One browser of one user. */
export class ChatBrowser {
  readonly userId: string;
  readonly clock = new ManualClock();
  readonly texts: TextStorage;
  readonly files: TestFiles;
  readonly requests: SentRequest[] = [];
  /** Whether requests of all tabs fail as without a network. */
  isOffline = false;
  /** Called before a request leaves; what it throws breaks the connection. */
  hold: (request: SentRequest) => unknown = () => {};
  /** Paths whose requests the server refuses, with a status and a code. */
  refuse: Readonly<Record<string, readonly [number, string]>> = {};
  readonly #app: Pick<RunningApp, "url">;
  readonly #ending = new AbortController();
  readonly #channels = new Set<(event: Event) => void>();

  constructor(app: Pick<RunningApp, "url">, earlier?: ChatBrowser) {
    this.#app = app;
    this.userId = earlier?.userId ?? randomUUID();
    this.texts = new TextStorage(earlier?.texts);
    this.files = new TestFiles(earlier?.files.kept);
  }

  /** Ends it without a warning, and starts it again with what it has kept. */
  restart(): ChatBrowser {
    this.#ending.abort();
    return new ChatBrowser(this.#app, this);
  }

  /** What is kept, as pages read it. */
  get memory(): BrowserMemory {
    return new BrowserMemory(this.texts, this.userId);
  }

  /** Opens a tab with a new conversation. */
  open(): ChatTab {
    return this.#create(randomUUID(), true);
  }

  /** Opens a tab with a conversation, and resolves once it is loaded. */
  async load(id: string): Promise<ChatTab> {
    const tab = this.#create(id, false);
    void tab.conversation.load();
    await until(tab.conversation.store, ({ phase }) => phase !== "loading");
    return tab;
  }

  /**
   * Opens a tab with a conversation whose stored messages are slow to come, and resolves once it shows
   * what it keeps; `release` lets them come.
   */
  async loadSlowly(id: string): Promise<{ readonly tab: ChatTab; readonly release: () => void }> {
    const slow = Promise.withResolvers<void>();
    this.hold = async ({ path }) => (path.startsWith("/conversations/") ? await slow.promise : undefined);
    const loading = this.load(id);
    this.clock.advance(await this.clock.timer(1_500));
    return { tab: await loading, release: () => slow.resolve() };
  }

  /** Sends what a conversation of an earlier page could not send. */
  async deliver(id: string): Promise<void> {
    await this.#create(id, false).conversation.deliver();
  }

  #create(id: string, isNew: boolean): ChatTab {
    const { userId, files, memory, clock } = this;
    const network = new Network(async (input, init) => await this.#fetch(input, init), clock);
    const retry = { maxRetries: 0 };
    const client = createClient({ baseUrl: this.#app.url, userId, fetch: network.fetch, retry });
    const changes = new Changes();
    changes.connect(this.#openChannel());
    const drafts = new Drafts(memory, files);
    const services = { client, network, memory, files, drafts, changes, clock, schedule: queueMicrotask };
    return new ChatTab(new Conversation(services, id, isNew), network);
  }

  /** A channel to the other tabs. */
  #openChannel() {
    let receive: (event: Event) => void = () => {};
    const own = (event: Event): void => receive(event);
    this.#channels.add(own);
    return {
      addEventListener: (_type: "message", listener: (event: Event) => void) => (receive = listener),
      postMessage: (data: unknown) => {
        for (const other of this.#channels)
          if (other !== own) queueMicrotask(() => other(new MessageEvent("message", { data })));
      },
    };
  }

  async #fetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const { pathname } = new URL(input instanceof Request ? input.url : input);
    const body = typeof init.body === "string" ? init.body : "";
    const request = { method: init.method ?? "GET", path: pathname, body };
    this.requests.push(request);
    await this.hold(request);
    if (this.isOffline) throw new TypeError("no network");
    const [status, code] = this.refuse[pathname] ?? [];
    if (status !== undefined)
      return Response.json({ code }, { status, headers: { "content-type": "application/problem+json" } });
    const signal = AbortSignal.any([this.#ending.signal, ...(init.signal ? [init.signal] : [])]);
    const { search } = new URL(input instanceof Request ? input.url : input);
    return await fetch(new URL(pathname + search, this.#app.url), { ...init, signal }); // it may have moved
  }
}

/** A tab that shows a conversation. */
export class ChatTab {
  readonly conversation: Conversation;
  readonly network: Network;

  constructor(conversation: Conversation, network: Network) {
    this.conversation = conversation;
    this.network = network;
  }

  /** Sends a question from the field. */
  ask(text: string): void {
    this.conversation.draft.write(text);
    void this.conversation.sendDraft();
  }

  /** The text in the field for the next question. */
  get draft(): string {
    return this.conversation.draft.store.state.text;
  }

  /** The shown messages: a question as `> text` with the names of its files, a reply as `status: answer`. */
  get shown(): readonly string[] {
    const { messages, runningId } = this.conversation.store.state;
    return messages.map((message) => {
      const live = message.id === runningId ? this.conversation.live.state : undefined;
      return toLine(message, live ?? message.reply);
    });
  }

  /** Resolves once exactly these messages are shown. */
  async shows(...lines: readonly string[]): Promise<void> {
    const isIt = (): boolean => JSON.stringify(this.shown) === JSON.stringify(lines);
    try {
      await Promise.any([until(this.conversation.store, isIt), until(this.conversation.live, isIt)]);
    } catch {
      assert.deepEqual(this.shown, lines);
    }
  }

  /** Resolves once the last reply is over, and its rows are read. */
  async untilStored(): Promise<void> {
    await until(
      this.conversation.store,
      ({ runningId, messages }) => runningId === undefined && messages.at(-1)?.isStored === true,
    );
  }

  /** Resolves once the last reply has failed, and its code is known. */
  async untilFailed(code: string): Promise<void> {
    await until(this.conversation.store, ({ messages, problem }) => {
      const reply = messages.at(-1)?.reply;
      return problem === code || (reply?.status === "failed" && reply.error?.code === code);
    });
  }
}

function toLine({ role, text, files }: Message, reply: ReplyContent | undefined): string {
  if (role !== "user") return `${reply?.status}: ${reply?.answer ?? ""}`;
  return [`> ${text}`, ...files.map(({ name }) => name)].join(" + ");
}

/** Resolves once `isIt` accepts the state; rejects after the time that a page may take for it. */
export async function until<State>(store: Store<State>, isIt: (state: State) => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = (): void => {
    if (isIt(store.state)) resolve();
  };
  const stop = store.subscribe(look);
  const timer = setTimeout(() => reject(new Error(`it stays ${JSON.stringify(store.state)}`)), patienceMs);
  look();
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    stop();
  }
}
