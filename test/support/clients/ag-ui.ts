/** The real clients of `/ag-ui`: AG-UI's `HttpAgent` of both lines, and TanStack AI's `ChatClient`. */
import { HttpAgent } from "@ag-ui/client";
import { HttpAgent as OldHttpAgent } from "@ag-ui/client-0.0";
import { ChatClient, fetchServerSentEvents, type UIMessage } from "@tanstack/ai-client";
import { Looks } from "./looks.ts";

/** The versions of AG-UI's client. */
export const agentVersions = ["1.0.0", "0.0.59"] as const;
/** One of {@link agentVersions}. */
export type AgentVersion = (typeof agentVersions)[number];

/** Returns a run's body, whose only message is the user's. */
export function toRun(threadId: string, runId: string, content: unknown = "Hi", more: object = {}) {
  return { threadId, runId, messages: [{ id: `of ${runId}`, role: "user", content }], ...more };
}

/** Options of an agent. */
interface AgentOptions {
  readonly url: string;
  readonly userId: string;
  readonly threadId: string;
}

/** AG-UI's client of a version, and how its runs ended. */
export class ObservedAgent {
  readonly agent: HttpAgent | OldHttpAgent;
  /** The codes of failed runs. */
  readonly errors: (string | undefined)[] = [];
  /** The names of custom events. */
  readonly customs: string[] = [];
  #messages = 0;

  constructor(version: AgentVersion, { url, userId, threadId }: AgentOptions) {
    const options = { url: `${url}/ag-ui?userId=${userId}`, threadId };
    this.agent = version === "1.0.0" ? new HttpAgent(options) : new OldHttpAgent(options);
    const note = {
      onRunErrorEvent: ({ event }: { event: { code?: string | undefined } }) =>
        void this.errors.push(event.code),
      onCustomEvent: ({ event }: { event: { name: string } }) => void this.customs.push(event.name),
    };
    this.agent.subscribe(note);
  }

  /** Sends a message; resolves with the run's result. */
  async ask(content: string, parameters: Parameters<HttpAgent["runAgent"]>[0] = {}): Promise<unknown> {
    this.#messages += 1;
    this.agent.addMessage({ id: `u${this.#messages}`, role: "user", content });
    return await this.run(parameters);
  }

  /** Starts a run with the messages so far; resolves with its result. */
  async run(parameters: Parameters<HttpAgent["runAgent"]>[0] = {}): Promise<unknown> {
    const { result } = await this.agent.runAgent(parameters);
    return result;
  }

  /** Answers all open requests for approval; resolves with the result of the run that goes on. */
  async answer(approved: boolean): Promise<unknown> {
    const resume = this.agent.pendingInterrupts.map(({ id }) => {
      return { interruptId: id, status: "resolved" as const, payload: { approved } };
    });
    return await this.run({ resume });
  }

  /** The messages as role, and text or names of calls. */
  get shown(): readonly unknown[] {
    return this.agent.messages.map((message) => {
      const calls =
        message.role === "assistant" ? message.toolCalls?.map(({ function: { name } }) => name) : undefined;
      const text = "content" in message ? message.content : undefined;
      return calls === undefined ? [message.role, text] : [message.role, text, ...calls];
    });
  }
}

/** Options of a chat. */
interface ChatOptions {
  /** The server's address; a function for one that moves, as behind a load balancer. */
  readonly url: string | (() => string);
  readonly userId: string;
  readonly threadId: string;
  /** Tools that the client runs, by their names. */
  readonly tools?: Readonly<Record<string, (input: unknown) => unknown>>;
  /** Whether the server keeps the thread, which the chat loads when it is opened. */
  readonly isStored?: boolean;
  readonly pageSize?: number | undefined;
}

/** TanStack AI's client, and a record of its states. */
export class ObservedThread {
  readonly chat: ChatClient;
  readonly errors: string[] = [];
  readonly customs: string[] = [];
  /** The method, the headers and the body of each request. */
  readonly requests: {
    readonly method: string;
    readonly lastEventId: string | null;
    readonly body: unknown;
  }[] = [];
  readonly #looks = new Looks();

  constructor({ url, userId, threadId, tools = {}, isStored = false, pageSize }: ChatOptions) {
    const look = this.#looks.again;
    this.chat = new ChatClient({
      connection: fetchServerSentEvents(`http://server/ag-ui?userId=${userId}`, {
        fetchClient: async (input, init) => {
          const { pathname, search } = new URL(input instanceof Request ? input.url : input);
          const server = typeof url === "string" ? url : url();
          return await this.#fetch(server + pathname + search, init);
        },
      }),
      threadId,
      tools: Object.entries(tools).map(([name, execute]) => ({
        __toolSide: "client" as const,
        name,
        description: name,
        inputSchema: { type: "object" },
        execute: async (input: unknown) => await execute(input),
      })),
      ...(isStored && { persistence: true }),
      ...(pageSize !== undefined && { history: { pageSize } }),
      onError: ({ message }) => void this.errors.push(message),
      onCustomEvent: (name) => void this.customs.push(name),
      onMessagesChange: look,
      onStatusChange: look,
      onLoadingChange: look,
      onInterruptStateChange: look,
    });
  }

  async #fetch(address: string, init: RequestInit | undefined): Promise<Response> {
    const headers = new Headers(init?.headers);
    const body: unknown = typeof init?.body === "string" ? JSON.parse(init.body) : undefined;
    this.requests.push({ method: init?.method ?? "GET", lastEventId: headers.get("last-event-id"), body });
    return await fetch(address, init);
  }

  get messages(): readonly UIMessage[] {
    return this.chat.getMessages();
  }

  /** The messages, each as its role and its parts: their types and contents. */
  get shown(): readonly unknown[] {
    return this.messages.map(({ role, parts }) => [
      role,
      ...parts.map((part) => {
        if (part.type === "tool-call") return `${part.name} ${part.state}`;
        // Databases do not keep the order of keys.
        if (part.type === "tool-result") return `${part.type} ${part.state}`;
        return "content" in part && typeof part.content === "string"
          ? `${part.type} ${part.content}`
          : part.type;
      }),
    ]);
  }

  /** The text of the last message. */
  get text(): string {
    const parts = this.messages.at(-1)?.parts ?? [];
    return parts.map((part) => (part.type === "text" ? part.content : "")).join("");
  }

  /** Resolves once the chat shows something for which `isIt` is true. */
  async until(isIt: () => boolean): Promise<void> {
    await this.#looks.until(isIt);
  }
}
