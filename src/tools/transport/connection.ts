/** A connection to one MCP server: lists and calls its tools, and tells when it is lost. */
import { setTimeout as setTimeoutPromise } from "node:timers/promises";
import type { CallToolResult, Client, McpSubscription, Tool, Transport } from "@modelcontextprotocol/client";
import { z } from "zod";
import type { JsonObject } from "../../base/json.ts";
import type { ToolServerAddress } from "../settings.ts";
import { BoundedFetch } from "./bounded-fetch.ts";
import { loadSdk, type Sdk } from "./sdk.ts";
import { StdioTransport } from "./stdio-transport.ts";

/** How long a server may take to start and to respond to the first requests, in milliseconds. */
const connectTimeoutMs = 60_000;
/** How long a child process may take to answer a request of the newer protocol, before the older is tried. */
const probeTimeoutMs = 10_000;
const listTimeoutMs = 20_000;
/** How long the library waits for a call; calls end by a deadline of ours before. */
const callTimeoutMs = 100_000;
const goodbyeTimeoutMs = 1_000;
const maxPages = 20;
/** More tools of one server are not read. */
const maxListed = 1_000;
const streamRetryMs = 1_000;
/** How often a stream from the server may fail in a row. */
const maxStreamRetries = 3;

const ToolsPage = z.looseObject({ tools: z.array(z.unknown()), nextCursor: z.string().nullish() });

/** Told of events on a connection. */
export interface ConnectionEvents {
  /** The server's list of tools has changed. */
  toolsChanged(): void;
  /** The connection cannot be used any more; told at most once, and not after {@link Connection.close}. */
  lost(reason: string): void;
  /** The child process wrote a line to its standard error. */
  wrote(line: string): void;
}

/** The tools that a server lists, as it sent them. */
export interface ListedTools {
  readonly tools: readonly unknown[];
  /** Whether there are more. */
  readonly isCut: boolean;
}

/** How a call is made. */
interface CallOptions {
  readonly signal: AbortSignal;
  /** The tool's own definition, for the headers that it asks for. */
  readonly definition: Pick<Tool, "name" | "inputSchema">;
}

/** An open connection, until {@link close}. */
export class Connection {
  readonly #sdk: Sdk;
  readonly #client: Client;
  readonly #transport: Transport;
  readonly #events: ConnectionEvents;
  #isOver = false;
  #lastErrorLine = "";

  private constructor(sdk: Sdk, address: ToolServerAddress, events: ConnectionEvents, isLegacy: boolean) {
    this.#sdk = sdk;
    this.#events = events;
    this.#client = new sdk.Client(
      { name: "foreword", version: "1" },
      {
        versionNegotiation: isLegacy
          ? { mode: "legacy" }
          : { mode: "auto", ...(address.type === "stdio" && { probe: { timeoutMs: probeTimeoutMs } }) },
        // No user can be asked in the middle of a call.
        inputRequired: { autoFulfill: false },
        listChanged: {
          tools: { autoRefresh: false, debounceMs: 0, onChanged: () => this.#events.toolsChanged() },
        },
      },
    );
    this.#transport = this.#createTransport(address);
    // eslint-disable-next-line unicorn/prefer-add-event-listener -- it is no event target
    this.#client.onclose = () => this.lose(this.#toExit() || "the connection was closed");
  }

  /**
   * Connects to a server.
   * @throws Error if the server does not respond as one; its message may contain text of the server.
   */
  static async open(
    address: ToolServerAddress,
    events: ConnectionEvents,
    signal: AbortSignal,
  ): Promise<Connection> {
    const sdk = await loadSdk();
    signal.throwIfAborted();
    const connection = new Connection(sdk, address, events, false);
    try {
      return await connection.#connect(signal);
    } catch (error) {
      // Some older servers end when they get the first request of the newer protocol.
      const hasEnded = connection.#toExit() !== "";
      if (!hasEnded || signal.aborted) throw connection.#explain(error);
    }
    const legacy = new Connection(sdk, address, events, true);
    try {
      return await legacy.#connect(signal);
    } catch (error) {
      throw legacy.#explain(error);
    }
  }

  async #connect(signal: AbortSignal): Promise<this> {
    const isOver = this.#isOver;
    this.#isOver = true; // a failure before it is open is not a loss
    const stop = (): void => void this.#transport.close().catch(() => {});
    signal.addEventListener("abort", stop); // which the library's first request does not listen to
    try {
      await this.#client.connect(this.#transport, { signal, timeout: connectTimeoutMs });
      this.#isOver = isOver;
      void this.#watch(this.#client.autoOpenedSubscription);
      return this;
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Resolves with the server's tools. */
  async list(signal: AbortSignal): Promise<ListedTools> {
    if (this.#client.getServerCapabilities()?.tools === undefined) return { tools: [], isCut: false };
    const tools: unknown[] = [];
    const cursors = new Set<string>();
    let cursor: string | undefined;
    for (let page = 0; page < maxPages && tools.length < maxListed; page += 1) {
      const params = cursor === undefined ? {} : { cursor };
      const options = { signal, timeout: listTimeoutMs };
      // Not by `listTools`, which refuses the whole list for one tool that is malformed.
      const found = await this.#client.request({ method: "tools/list", params }, ToolsPage, options);
      tools.push(...found.tools);
      cursor = found.nextCursor ?? undefined;
      if (cursor === undefined || cursors.has(cursor)) return cut(false);
      cursors.add(cursor);
    }
    return cut(true);

    function cut(isCut: boolean): ListedTools {
      return { tools: tools.slice(0, maxListed), isCut: isCut || tools.length > maxListed };
    }
  }

  /** Calls a tool. @throws Error that `judgeFailure` explains. */
  async call(name: string, input: JsonObject, { signal, definition }: CallOptions): Promise<CallToolResult> {
    return await this.#client.callTool(
      { name, arguments: { ...input } },
      { signal, timeout: callTimeoutMs, toolDefinition: definition },
    );
  }

  /** The library, which a failure of {@link call} is judged by. */
  get sdk(): Sdk {
    return this.#sdk;
  }

  /** Ends the connection, if it is still in use, and tells why. */
  lose(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.lost(reason);
    void this.#end();
  }

  /** Closes the connection and ends the child process. Resolves within five seconds, and never rejects. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#end();
  }

  async #end(): Promise<void> {
    if (this.#transport instanceof this.#sdk.StreamableHTTPClientTransport) {
      const goodbye = this.#transport.terminateSession().catch(() => {});
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, goodbyeTimeoutMs);
      await Promise.race([goodbye, late]);
      clearTimeout(timer);
    }
    await this.#client.close().catch(() => {});
    await this.#transport.close().catch(() => {});
  }

  #createTransport(address: ToolServerAddress): Transport {
    if (address.type === "stdio")
      return new StdioTransport(address, this.#sdk, (line) => {
        if (line.trim() !== "") this.#lastErrorLine = line;
        this.#events.wrote(line);
      });
    const { fetch } = new BoundedFetch({
      sessionLost: () => this.lose("the server does not know the session: it has restarted"),
    });
    const transport: Transport = new this.#sdk.StreamableHTTPClientTransport(new URL(address.url), {
      fetch,
      requestInit: { headers: { ...address.headers } },
      reconnectionOptions: {
        initialReconnectionDelay: 1_000,
        maxReconnectionDelay: 30_000,
        reconnectionDelayGrowFactor: 1.5,
        maxRetries: maxStreamRetries + 1,
      },
      reconnectionScheduler: (reconnect, delayMs, attempt) => {
        if (attempt >= maxStreamRetries) return this.lose("the server cannot be reached");
        const timer = setTimeout(reconnect, delayMs).unref();
        return () => clearTimeout(timer);
      },
    });
    return transport;
  }

  /** Opens the stream of changes again whenever the server, or a proxy, has ended it. */
  async #watch(subscription: McpSubscription | undefined): Promise<void> {
    let current = subscription;
    while (current !== undefined) {
      await current.closed;
      await setTimeoutPromise(streamRetryMs, undefined, { ref: false });
      if (this.#isOver) return;
      try {
        current = await this.#client.listen({ toolsListChanged: true }, { timeout: listTimeoutMs });
        this.#events.toolsChanged();
      } catch (error) {
        return this.lose(error instanceof Error ? error.message : String(error));
      }
    }
  }

  /** Returns how the child process has ended by itself; empty if it has not, or there is none. */
  #toExit(): string {
    if (!(this.#transport instanceof StdioTransport) || this.#transport.exit === "") return "";
    const line = this.#lastErrorLine.trim();
    return `the process ended (${this.#transport.exit})${line === "" ? "" : `: ${line}`}`;
  }

  #explain(error: unknown): Error {
    const exit = this.#toExit();
    return exit === "" && error instanceof Error ? error : new Error(exit || String(error), { cause: error });
  }
}
