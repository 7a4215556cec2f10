/** Server processes for fault injection, and the bytes of their responses as a client reads them. */
import { EventEmitter, once } from "node:events";
import { request, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { z } from "zod";
import { parseConfig } from "../../../src/config/config.ts";
import { RunningCommand } from "../../command/run-command.ts";
import { fillDataFolder } from "../databases/pglite-template.ts";
import { makeFolder } from "./start-app.ts";

const TurnState = z.object({
  id: z.string(),
  status: z.enum(["running", "complete", "stopped", "failed", "interrupted"]),
  plan: z.string(),
  answer: z.string().nullable(),
  position: z.number(),
  error: z.object({ code: z.string() }).nullable(),
});
/** A turn as `GET /turns/:id` returns it. */
export type TurnState = z.infer<typeof TurnState>;

/** A `foreword serve` in a folder of its own, where it can be restarted after its death. */
export class Replica {
  readonly #variables: Readonly<Record<string, string>>;
  /** The program that runs `foreword`: this build, unless it names another. */
  #program: readonly string[] | undefined;
  readonly #folder: Awaited<ReturnType<typeof makeFolder>>;
  readonly #killAtExit = (): void => this.kill("SIGKILL");
  #command: RunningCommand | undefined;
  #url = "";

  private constructor(
    variables: Readonly<Record<string, string>>,
    folder: Awaited<ReturnType<typeof makeFolder>>,
    program: readonly string[] | undefined,
  ) {
    this.#program = program;
    this.#variables = { DATA_DIR: folder.path, PORT: "0", DRAIN_SECONDS: "2", ...variables };
    this.#folder = folder;
    process.once("exit", this.#killAtExit);
  }

  /**
   * Starts one with `variables`, of this build or by `program`; resolves once it listens. The caller closes
   * it.
   */
  static async start(
    variables: Readonly<Record<string, string>>,
    program?: readonly string[],
  ): Promise<Replica> {
    const replica = new Replica(variables, await makeFolder(), program);
    if (program === undefined) await fillDataFolder(parseConfig(replica.#variables).app.store);
    await replica.restart();
    return replica;
  }

  /** Of the server's process. */
  get pid(): number {
    return this.#command?.pid ?? 0;
  }

  /** Starts it again after its end, with the same data and variables; resolves once it listens. */
  async restart(): Promise<void> {
    await this.#command?.exit();
    const command = new RunningCommand(["serve"], this.#variables, this.#folder.path, this.#program);
    this.#command = command;
    const [, url = ""] = await command.printed(/listening +(http:\S+)\n/);
    this.#url = url;
  }

  /**
   * Replaces it as a deployment does: SIGTERM, its drain, and a start by `program`, or of this build. Rejects
   * if it did not end by itself with 0.
   */
  async replace(program?: readonly string[]): Promise<void> {
    this.kill("SIGTERM");
    const code = await this.exit();
    if (code !== 0) throw new Error(`the replaced server ended with ${String(code)}`);
    this.#program = program;
    await this.restart();
  }

  get url(): string {
    return this.#url;
  }

  kill(signal: NodeJS.Signals): void {
    this.#command?.kill(signal);
  }

  /** Resolves with the exit code, or the signal's name. */
  async exit(): Promise<unknown> {
    return await this.#command?.exit();
  }

  /** Kills it and deletes its folder. */
  async close(): Promise<void> {
    this.kill("SIGKILL");
    await this.exit();
    process.removeListener("exit", this.#killAtExit);
    await this.#folder.remove();
  }

  /** Sends a request over a connection of its own. */
  send(method: string, path: string, body?: object, headers: Record<string, string> = {}): Reading {
    return new Reading(this.#url + path, method, body, headers);
  }

  /** Requests a turn's bytes from `after` on. */
  resume(turnId: string, userId: string, after: number): Reading {
    return this.send("GET", `/turns/${turnId}/stream?after=${after}&userId=${userId}`);
  }

  /** Resolves with a turn's state. */
  async readState(turnId: string, userId: string): Promise<TurnState> {
    return await this.send("GET", `/turns/${turnId}?userId=${userId}`).json(TurnState);
  }

  /** Stops a turn; resolves with its state. */
  async stop(turnId: string, userId: string): Promise<TurnState> {
    return await this.send("POST", `/turns/${turnId}/stop?userId=${userId}`).json(TurnState);
  }
}

/** Returns in how many bytes the two differ. */
export function countDifferences(actual: Buffer, expected: Buffer): number {
  const length = Math.max(actual.length, expected.length);
  let count = 0;
  for (let index = 0; index < length; index += 1) if (actual[index] !== expected[index]) count += 1;
  return count;
}

/** Returns the median and the largest of times in milliseconds, to be printed. */
export function toFigures(timesMs: readonly number[]): string {
  const sorted = timesMs.toSorted((a, b) => a - b);
  return `${Math.round(sorted[sorted.length >> 1] ?? 0)} / ${Math.round(sorted.at(-1) ?? 0)} ms`;
}

/** A response, read live to any kind of end. */
export class Reading {
  /** Resolves when no more will come. */
  readonly closed: Promise<void>;
  readonly #chunks: Buffer[] = [];
  readonly #came = new EventEmitter();
  readonly #closed = Promise.withResolvers<void>();
  readonly #request;
  #response: IncomingMessage | undefined;
  #isClosed = false;
  #count = 0;

  constructor(url: string, method: string, body: object | undefined, headers: Record<string, string>) {
    const type = body === undefined ? {} : { "content-type": "application/json" };
    this.#request = request(url, { method, agent: false, headers: { ...type, ...headers } });
    this.closed = this.#closed.promise;
    this.#request
      .once("response", (response) => this.#take(response))
      .on("error", () => {}) // told by its close
      .once("close", () => this.#response ?? this.#close())
      .end(body && JSON.stringify(body));
  }

  /** `undefined` until the response's headers have arrived. */
  get status(): number | undefined {
    return this.#response?.statusCode;
  }

  get headers(): IncomingHttpHeaders {
    return this.#response?.headers ?? {};
  }

  /** Whether the body ended properly. */
  get isComplete(): boolean {
    return this.#response?.complete ?? false;
  }

  /** The bytes so far. */
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Resolves when `count` bytes have come, or no more will. */
  async received(count: number): Promise<void> {
    while (this.#count < count && !this.#isClosed) await once(this.#came, "news");
  }

  /** Resolves with all that came. */
  async whole(): Promise<Buffer> {
    await this.closed;
    return this.bytes;
  }

  /** Resolves with the body as `schema` reads it. */
  async json<Schema extends z.ZodType>(schema: Schema): Promise<z.output<Schema>> {
    const text = (await this.whole()).toString();
    if (this.status === undefined || this.status >= 300) throw new Error(`${this.status}: ${text}`);
    return schema.parse(JSON.parse(text));
  }

  /** Resets the connection. */
  cut(): void {
    this.#request.destroy();
  }

  #take(response: IncomingMessage): void {
    this.#response = response;
    response
      .on("data", (chunk: Buffer) => {
        this.#chunks.push(chunk);
        this.#count += chunk.length;
        this.#came.emit("news");
      })
      .on("error", () => {}) // told by isComplete
      .once("close", () => this.#close());
  }

  #close(): void {
    this.#isClosed = true;
    this.#came.emit("news");
    this.#closed.resolve();
  }
}
