/**
 * An MCP server that runs as a child process. Unlike the library's own transport, it discards a message that
 * is too long instead of ending the process, and starts one process only.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import type { ToolServerAddress } from "../settings.ts";
import { forget, leadsGroup, remember, signal } from "./child-processes.ts";
import { LineSplitter } from "./line-splitter.ts";
import { maxMessageBytes, toErrorResponse, tooLargeCode } from "./message-limits.ts";
import type { Sdk } from "./sdk.ts";

/** How long a child may take to end after its input has ended, and again after SIGTERM, in milliseconds. */
const patienceMs = 1_500;
/** How long the streams of a child may outlive it, in milliseconds: its own children may hold them. */
const streamsPatienceMs = 300;
/** Longer lines of a child's standard error are cut. */
const maxErrorLineBytes = 8 * 1024;

/** The id of a response's request, at the start or at the end of its line. */
const idAtStart = /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d{1,15})\s*,/;
const idAtEnd = /,\s*"id"\s*:\s*(\d{1,15})\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/;

/** A child process, from {@link start} to {@link close} or its own end. */
export class StdioTransport implements Transport {
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: ((message: JSONRPCMessage) => void) | undefined;
  /** With `pid`, the mark by which the library knows a child process. */
  readonly stderr = null;
  readonly #address: ToolServerAddress & { readonly type: "stdio" };
  readonly #sdk: Sdk;
  readonly #onErrorLine: (text: string) => void;
  readonly #ended = Promise.withResolvers<void>();
  #child: ChildProcess | undefined;
  #isClosing = false;
  #isOver = false;
  #exit = "";

  /** @param onErrorLine told of each line that the child writes to its standard error. */
  constructor(
    address: ToolServerAddress & { readonly type: "stdio" },
    sdk: Sdk,
    onErrorLine: (text: string) => void,
  ) {
    this.#address = address;
    this.#sdk = sdk;
    this.#onErrorLine = onErrorLine;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** How the process ended by itself, like `exit code 1`; empty while it runs, and after {@link close}. */
  get exit(): string {
    return this.#exit;
  }

  /** Rejects with the system's error if the process cannot be started. */
  async start(): Promise<void> {
    const { command, args, env, cwd } = this.#address;
    const child = spawn(command, args, {
      cwd,
      env: { ...this.#sdk.getDefaultEnvironment(), ...env },
      stdio: ["pipe", "pipe", "pipe"],
      detached: leadsGroup,
      windowsHide: true,
    });
    this.#child = child;
    child.once("exit", (code, name) => {
      if (!this.#isClosing) this.#exit = name === null ? `exit code ${code}` : name;
      setTimeout(() => this.#finish(), streamsPatienceMs).unref();
    });
    child.once("close", () => this.#finish());
    child.stdin.on("error", (error) => this.onerror?.(error));
    const lines = new LineSplitter(maxMessageBytes, {
      line: (text) => this.#receive(text),
      longLine: (first, last) => this.#replace(first, last),
    });
    child.stdout.on("data", (chunk: Buffer) => lines.push(chunk));
    const errors = new LineSplitter(maxErrorLineBytes, {
      line: this.#onErrorLine,
      longLine: (first) => this.#onErrorLine(`${first}…`),
    });
    child.stderr.on("data", (chunk: Buffer) => errors.push(chunk)).once("end", () => errors.end());
    await once(child, "spawn");
    child.on("error", (error) => this.onerror?.(error));
    remember(child);
  }

  async send(message: JSONRPCMessage): Promise<void> {
    try {
      await this.#write(`${JSON.stringify(message)}\n`);
    } catch {
      // The end of its input is known before its exit, whose code its user needs.
      if (!this.#isClosing) await this.#endsWithin(patienceMs);
      throw new Error("the process has ended");
    }
  }

  async #write(line: string): Promise<void> {
    const input = this.#child?.stdin;
    if (input?.writable !== true) throw new Error("the input is closed");
    if (!input.write(line)) await Promise.race([once(input, "drain"), this.#ended.promise]);
  }

  /** Ends the child: by the end of its input, by SIGTERM, by SIGKILL. Resolves within four seconds. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined || this.#isOver) return this.#finish();
    this.#isClosing = true;
    child.stdin?.end();
    if (await this.#endsWithin(patienceMs)) return;
    signal(child, "SIGTERM");
    if (await this.#endsWithin(patienceMs)) return;
    signal(child, "SIGKILL");
    await this.#endsWithin(patienceMs / 2);
    this.#finish();
  }

  async #endsWithin(ms: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(resolve, ms, false);
    void this.#ended.promise.then(() => resolve(true));
    const hasEnded = await promise;
    clearTimeout(timer);
    return hasEnded;
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const child = this.#child;
    if (child !== undefined) {
      forget(child);
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
    }
    this.#ended.resolve();
    this.onclose?.();
  }

  #receive(line: string): void {
    if (this.#isOver) return;
    try {
      this.onmessage?.(this.#sdk.parseJSONRPCMessage(JSON.parse(line)));
    } catch (error) {
      // Many servers print other lines, too, which the specification forbids.
      this.onerror?.(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Puts an error in the place of a response that is too long. */
  #replace(first: string, last: string): void {
    const [, id] = idAtStart.exec(first) ?? idAtEnd.exec(last) ?? [];
    if (id !== undefined)
      this.#receive(toErrorResponse(Number(id), tooLargeCode, "the message is too large"));
    else this.onerror?.(new Error("a message was too large, and is discarded"));
  }
}
