/** Owns the running app under test: the real one, from an environment, on a free port. */
import { mkdtemp, rm } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { EventEmitter, once } from "node:events";
import { createApp, type App } from "../../../src/app.ts";
import { createLogger } from "../../../src/observe/logger.ts";
import { createLogObserver } from "../../../src/observe/log-observer.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { parseConfig } from "../../../src/config/config.ts";
import { systemClock, type Clock } from "../../../src/base/clock.ts";
import { checkOf, type ResponseCheck } from "./response-check.ts";
import type { ScriptedCall, ScriptedModel } from "../model/scripted-model.ts";

/** A line of the log. */
export interface LogLine {
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** An answer, read to whatever its end was. */
export interface AppResponse {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  /** Whether the body ended in good order; false for one that was cut. */
  readonly isComplete: boolean;
}

/** What the answers of running apps were asked with, and who judges them. */
const requests = new WeakMap<
  IncomingMessage,
  { readonly method: string; readonly path: string; readonly check: ResponseCheck }
>();

/** An app that listens. Its answers, where they are read to their end, are held against its OpenAPI document. */
export class RunningApp {
  readonly app: App;
  readonly url: string;
  readonly logs: LogLine[] = [];
  readonly #logged = new EventEmitter();
  readonly #onClosed: () => Promise<void>;
  readonly #check: ResponseCheck | undefined;

  constructor(
    app: App,
    url: string,
    log: EventEmitter<{ line: [LogLine] }>,
    onClosed: () => Promise<void> = async () => {},
    check?: ResponseCheck,
  ) {
    this.app = app;
    this.url = url;
    this.#onClosed = onClosed;
    this.#check = check;
    log.on("line", (line) => {
      this.logs.push(line);
      this.#logged.emit("line");
    });
  }

  /** Posts `body` (a string: as it is) and reads the whole answer. */
  async post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<AppResponse> {
    return await readResponse(await this.open("POST", path, body, headers));
  }

  /** Asks for `path` and reads the whole answer. */
  async get(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<AppResponse> {
    return await readResponse(await this.open(method, path, undefined, headers));
  }

  /** Posts a chat of one message, or of `messages`. */
  async chat(text: string, more: object = {}): Promise<AppResponse> {
    return await this.post("/stream-chat", { messages: [{ sender: "user", text }], ...more });
  }

  /** Sends a request; resolves with the answer's head, its body unread. */
  async open(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<IncomingMessage> {
    const bytes = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const sent = request(this.url + path, { method, agent: false, headers: { ...type, ...headers } });
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    sent.once("response", resolve).once("error", reject).end(bytes);
    const response = await promise;
    // What Node answers by itself, no route has promised.
    if (this.#check !== undefined && headers["expect"] === undefined)
      requests.set(response, { method, path, check: this.#check });
    return response;
  }

  /** Resolves with the first log line that `isIt` accepts, now or later. */
  async logged(isIt: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const line = this.logs.find(isIt);
      if (line !== undefined) return line;
      await once(this.#logged, "line");
    }
  }

  async close(drainMs = 0): Promise<void> {
    await this.app.close(drainMs);
    await this.#onClosed();
  }
}

/** Starts a turn of `app` and hands over both its ends: what `model` was asked, and the answer once its head is there. */
export async function openTurn(
  app: RunningApp,
  model: ScriptedModel,
  more: object = {},
): Promise<{ readonly call: ScriptedCall; readonly opening: Promise<IncomingMessage> }> {
  const next = model.nextCall();
  const opening = app.open("POST", "/stream-chat", { messages: [{ sender: "user", text: "Hi" }], ...more });
  return { opening, call: await next };
}

/** Reads `response` to its end. */
export async function readResponse(response: IncomingMessage): Promise<AppResponse> {
  const chunks: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  response
    .on("data", (chunk: Buffer | string) => chunks.push(Buffer.from(chunk)))
    .once("close", resolve)
    .on("error", () => {});
  await promise;
  const { statusCode, headers, complete } = response;
  const body = Buffer.concat(chunks).toString();
  const answer = { status: statusCode ?? 0, headers, body, isComplete: complete };
  const asked = requests.get(response);
  asked?.check.check(asked.method, asked.path, answer);
  return answer;
}

/**
 * Starts an app configured by `variables` and nothing else; nothing is stored, and users have no limits, unless they say so. Its DATA_DIR, unless they
 * name one, goes with it.
 */
export async function startApp(
  variables: Record<string, string>,
  clock: Clock = systemClock,
): Promise<RunningApp> {
  const log = new EventEmitter<{ line: [LogLine] }>();
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      log.emit("line", JSON.parse(chunk.toString()));
      done();
    },
  });
  const folder = variables["DATA_DIR"] === undefined ? await makeFolder() : undefined;
  const config = parseConfig({
    CHAT_STORE_ENABLED: "false",
    DATA_DIR: folder?.path,
    LIMIT_REQUESTS_PER_MINUTE: "0",
    LIMIT_CONCURRENT_TURNS: "0",
    ...variables,
  });
  const logger = createLogger({ level: config.logLevel, secrets: config.secrets }, stream);
  const observe = createLogObserver(logger, config.app.logsContent);
  const store = await openStore(config.app.store, clock, observe);
  const app = await createApp(config.app, store, { clock, logger, observe });
  await store.opened;
  await app.http.listen({ host: "127.0.0.1", port: 0 });
  const address = app.http.server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}`;
  return new RunningApp(app, url, log, async () => folder?.remove(), checkOf(config.app.auth.type));
}

/** Makes an empty folder below the system's temporary one; `remove` deletes it. */
export async function makeFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "foreword-test-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
