/** One server of tools: connects, connects again whenever it was lost, and calls its tools. */
import type { JsonObject } from "../base/json.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { afterReading } from "../base/deadline.ts";
import type { ServerTool, ToolCallOptions, ToolOutcome } from "../turn/items/tool.ts";
import type { ToolServerEvent } from "../turn/observer.ts";
import { toOutcome, reduceResult } from "./call-result.ts";
import { judgeFailure, toSentence } from "./failures.ts";
import { ErrorLines } from "./error-lines.ts";
import type { ToolServerSettings } from "./settings.ts";
import { toToolList, type ToolList, type UsableTool } from "./tool-list.ts";
import { Connection } from "./transport/connection.ts";

const firstDelayMs = 1_000;
const longestDelayMs = 60_000;
/** A connection that lasted longer was a good one: the next attempt follows at once. */
const goodLifeMs = 10_000;
/** The least time between two requests for a list that changes. */
const refreshDelayMs = 1_000;

/** More warnings about one server are not told. */
const maxWarnings = 200;

const noTools: ToolList = { usable: [], off: [], warnings: [] };

/** The surroundings of a server. */
interface Surroundings {
  readonly clock: Clock;
  readonly observe: (event: ToolServerEvent) => void;
  /** Called whenever the list of tools has changed. */
  readonly changed: () => void;
}

/** A server, from its construction to {@link close}. */
export class ToolServer {
  readonly settings: ToolServerSettings;
  readonly #around: Surroundings;
  readonly #closing = new AbortController();
  readonly #errorLines: ErrorLines;
  #list: ToolList = noTools;
  #connection: Connection | undefined;
  #connectedAtMs = 0;
  #attempt: Promise<Connection> | undefined;
  #timer: Timer | undefined;
  #failureCount = 0;
  #trouble: string | undefined;
  /** Whether the server's list of tools has changed since it was asked for. */
  #isStale = false;
  #isRefreshing = false;
  #pause: Timer | undefined;
  /** The warnings that have been told. */
  readonly #told = new Set<string>();

  constructor(settings: ToolServerSettings, around: Surroundings) {
    this.settings = settings;
    this.#around = around;
    this.#errorLines = new ErrorLines(around.clock, (text) =>
      around.observe({ type: "tool-server-wrote", server: settings.name, text }),
    );
  }

  /** Its tools; none while it cannot be reached. */
  get list(): ToolList {
    return this.#list;
  }

  /** Whether its tools can be called now. */
  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** Why it cannot be reached, once that is known. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Connects, unless it is connected. Resolves after the first attempt, and never rejects. */
  async start(): Promise<void> {
    await this.#connect().catch(() => {});
  }

  /** Calls a tool. Never rejects. */
  async call(usable: UsableTool, input: JsonObject, options: ToolCallOptions): Promise<ToolOutcome> {
    const deadline = new AbortController();
    const timer = afterReading(this.#around.clock, this.settings.timeoutMs, () => deadline.abort());
    const stopping = AbortSignal.any([options.signal, deadline.signal, this.#closing.signal]);
    try {
      return await this.#callUntil(stopping, usable, input, options);
    } catch (error) {
      return toOutcome("unknown", `The call failed: ${toSentence(error)}`, options.maxBytes);
    } finally {
      timer.cancel();
    }
  }

  /** Ends the connection and its process. Resolves within five seconds, and never rejects. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#timer?.cancel();
    this.#pause?.cancel();
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
    await this.#attempt?.catch(() => {});
  }

  async #callUntil(
    stopping: AbortSignal,
    { tool, ownName }: UsableTool,
    input: JsonObject,
    { signal, maxBytes }: ToolCallOptions,
  ): Promise<ToolOutcome> {
    const definition = { name: ownName, inputSchema: { ...tool.inputSchema, type: "object" as const } };
    for (let isAgain = false; ; isAgain = true) {
      const connection = await untilAborted(this.#connect(), stopping).catch(() => undefined);
      if (connection === undefined) return this.#toUnreached(signal, maxBytes);
      try {
        return reduceResult(
          await connection.call(ownName, input, { signal: stopping, definition }),
          maxBytes,
        );
      } catch (error) {
        if (stopping.aborted) return this.#toStopped(tool, signal, maxBytes);
        const failure = judgeFailure(error, connection.sdk);
        if (failure.type === "failed") return toOutcome("failed", failure.sentence, maxBytes);
        connection.lose(failure.sentence);
        const mayRepeat = failure.type === "unsent" || tool.isRepeatable;
        if (mayRepeat && !isAgain) continue;
        return mayRepeat
          ? toOutcome("failed", "The tool's server cannot be reached.", maxBytes)
          : toOutcome(
              "unknown",
              "The connection to the tool's server was lost during the call, which may have had an effect.",
              maxBytes,
            );
      }
    }
  }

  #toUnreached(signal: AbortSignal, maxBytes: number): ToolOutcome {
    if (signal.aborted) return toOutcome("unknown", "The call was stopped before it began.", maxBytes);
    return toOutcome("failed", "The tool's server is unavailable. The tool did not run.", maxBytes);
  }

  /** The signals tell a stop from a deadline: the library's errors are the same. */
  #toStopped(tool: ServerTool, signal: AbortSignal, maxBytes: number): ToolOutcome {
    if (signal.aborted || this.#closing.signal.aborted)
      return toOutcome("unknown", "The call was stopped. It may have had an effect.", maxBytes);
    const late = `The tool did not respond within ${this.settings.timeoutMs / 1000} s.`;
    return tool.isRepeatable
      ? toOutcome("failed", late, maxBytes)
      : toOutcome("unknown", `${late} It may have had an effect.`, maxBytes);
  }

  /** Resolves with the connection; if there is none, it is opened now. */
  async #connect(): Promise<Connection> {
    if (this.#connection !== undefined) return this.#connection;
    this.#timer?.cancel();
    this.#attempt ??= this.#open().finally(() => (this.#attempt = undefined));
    return await this.#attempt;
  }

  async #open(): Promise<Connection> {
    const { signal } = this.#closing;
    let opened: Connection | undefined;
    try {
      signal.throwIfAborted();
      const events = {
        toolsChanged: () => this.#changed(),
        lost: (reason: string) => this.#lost(opened, reason),
        wrote: (line: string) => this.#errorLines.add(line),
      };
      this.#isStale = false;
      opened = await Connection.open(this.settings.address, events, signal);
      const { tools, isCut } = await opened.list(signal);
      signal.throwIfAborted();
      this.#connection = opened;
      this.#connectedAtMs = this.#around.clock.monotonicMs();
      this.#trouble = undefined;
      this.#take(tools, isCut);
      const { name } = this.settings;
      this.#around.observe({
        type: "tool-server-connected",
        server: name,
        toolCount: this.#list.usable.length,
      });
      if (this.#isStale) this.#changed();
      return opened;
    } catch (error) {
      await opened?.close();
      this.#refuse(toSentence(error));
      throw error;
    }
  }

  /** The server cannot be reached: its tools are gone until it can. */
  #refuse(reason: string): void {
    if (this.#closing.signal.aborted) return;
    this.#failureCount += 1;
    const isNews = this.#trouble !== reason;
    this.#trouble = reason;
    this.#set(noTools);
    this.#tryAgain();
    if (isNews) this.#around.observe({ type: "tool-server-refused", server: this.settings.name, reason });
  }

  #lost(connection: Connection | undefined, reason: string): void {
    if (connection === undefined || this.#connection !== connection || this.#closing.signal.aborted) return;
    this.#connection = undefined;
    this.#around.observe({ type: "tool-server-lost", server: this.settings.name, reason });
    const isGood = this.#around.clock.monotonicMs() - this.#connectedAtMs >= goodLifeMs;
    this.#failureCount = isGood ? 0 : this.#failureCount + 1;
    this.#tryAgain();
  }

  /** Its tools stay listed until the attempt has failed. */
  #tryAgain(): void {
    const count = this.#failureCount;
    const delayMs = count === 0 ? 0 : Math.min(longestDelayMs, firstDelayMs * 2 ** (count - 1));
    this.#timer?.cancel();
    this.#timer = this.#around.clock.after(delayMs, () => void this.start());
  }

  /** Asks for the list again: at once, but at most once a second. */
  #changed(): void {
    this.#isStale = true;
    if (this.#connection !== undefined && !this.#isRefreshing) void this.#refresh(this.#connection);
  }

  async #refresh(connection: Connection): Promise<void> {
    this.#isStale = false;
    this.#isRefreshing = true;
    try {
      const { tools, isCut } = await connection.list(this.#closing.signal);
      if (this.#connection === connection) {
        this.#take(tools, isCut);
        const toolCount = this.#list.usable.length;
        this.#around.observe({ type: "tool-list-changed", server: this.settings.name, toolCount });
      }
    } catch (error) {
      const { type, sentence } = judgeFailure(error, connection.sdk);
      if (type !== "failed") connection.lose(sentence);
    }
    if (this.#closing.signal.aborted) return;
    this.#pause = this.#around.clock.after(refreshDelayMs, () => {
      this.#isRefreshing = false;
      if (this.#isStale) this.#changed();
    });
  }

  #take(tools: readonly unknown[], isCut: boolean): void {
    const list = toToolList(tools, this.settings);
    const more = { tool: "(more)", reason: "left out: the server lists more tools than are read" };
    this.#set(isCut ? { ...list, warnings: [...list.warnings, more] } : list);
  }

  #set(list: ToolList): void {
    this.#list = list;
    for (const { tool, reason } of list.warnings) {
      const warning = `${tool}\n${reason}`;
      if (this.#told.has(warning) || this.#told.size >= maxWarnings) continue;
      this.#told.add(warning);
      this.#around.observe({ type: "tool-warning", server: this.settings.name, tool, reason });
    }
    this.#around.changed();
  }
}

/** Settles as `work` does, but rejects as soon as `signal` is aborted. */
async function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(new Error("stopped"));
  signal.addEventListener("abort", stop);
  try {
    if (signal.aborted) stop();
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
