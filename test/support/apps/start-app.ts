/** The app under test: the real one, configured by an environment, on a free port. */
import { mkdtemp, rm } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { Writable } from "node:stream";
import { EventEmitter, once } from "node:events";
import { createApp, type App } from "../../../src/app.ts";
import { createLogger } from "../../../src/observe/logger.ts";
import { createLogObserver } from "../../../src/observe/log-observer.ts";
import { MetricsEndpoint } from "../../../src/observe/metrics/metrics-endpoint.ts";
import { ServerMetrics } from "../../../src/observe/metrics/server-metrics.ts";
import { loadTracing } from "../../../src/observe/tracing/load-tracing.ts";
import { combine } from "../../../src/turn/observer.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { parseConfig } from "../../../src/config/config.ts";
import { systemClock, type Clock } from "../../../src/base/clock.ts";
import { fillDataFolder, warmUp } from "../databases/pglite-template.ts";
import { temporaryFolder } from "../process/temporary-folder.ts";
import { checkOf, type ResponseCheck } from "./response-check.ts";
import type { ScriptedCall, ScriptedModel } from "../model/scripted-model.ts";

/** A line of the log. */
export interface LogLine {
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A response, read to its end in whatever way that came. */
export interface AppResponse {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  /** Whether the body ended properly, and was not cut off. */
  readonly isComplete: boolean;
}

/** The request of each response, and the document that the response is checked against. */
const requests = new WeakMap<
  IncomingMessage,
  { readonly method: string; readonly path: string; readonly check: ResponseCheck }
>();

/** The parts of a running app. */
interface Started {
  readonly app: App;
  readonly url: string;
  readonly check: ResponseCheck;
  /** Its metrics, with a `METRICS_PORT`. */
  readonly endpoint: MetricsEndpoint | undefined;
  /** Deletes the app's own folder. */
  readonly removeFolder: () => Promise<void>;
}

/**
 * The real app on a free port, from {@link start} to {@link close}; it can be started again. Each response
 * that is read to its end is checked against the app's OpenAPI document.
 */
export class RunningApp {
  #started: Started | undefined;
  readonly #logged = new EventEmitter();
  /** Its log since it started. */
  readonly logs: LogLine[] = [];

  /**
   * Starts it with `variables` alone; unless they say otherwise, nothing is stored and users have no limits.
   * Its `DATA_DIR`, unless they name one, is deleted when it closes.
   */
  async start(variables: Readonly<Record<string, string>>, clock: Clock = systemClock): Promise<this> {
    this.logs.length = 0;
    let isStarted = false;
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        const line: LogLine = JSON.parse(chunk.toString());
        if (isStarted) this.logs.push(line);
        this.#logged.emit("line");
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
    const metrics = config.metrics && new ServerMetrics("0.0.0", true);
    const logged = createLogObserver(logger, config.app.logsContent, clock);
    const observe = metrics === undefined ? logged : combine(logged, metrics.observe);
    const isCopied = await fillDataFolder(config.app.store);
    const store = await openStore(config.app.store, clock, observe);
    const tracing = await loadTracing("0.0.0", clock, (sentence) => logger.warn(sentence));
    const measured = { measuresCalls: metrics !== undefined, tracing };
    const app = await createApp(config.app, store, { clock, logger, observe, ...measured });
    metrics?.watch(app.readState);
    await store.database?.opened;
    if (isCopied && store.database !== undefined) await warmUp(store.database);
    await app.tools?.ready(60_000);
    await app.listeners.listen({ host: "127.0.0.1", port: 0 });
    const address = app.http.server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const endpoint = metrics && (await MetricsEndpoint.open(config.metrics, () => metrics.read()));
    this.#started = {
      app,
      endpoint,
      url: `http://127.0.0.1:${address.port}`,
      check: await checkOf(config.app.auth.type),
      removeFolder: async () => folder?.remove(),
    };
    isStarted = true;
    return this;
  }

  /** The parts of the app itself. */
  get app(): App {
    return this.#running.app;
  }

  get url(): string {
    return this.#running.url;
  }

  /** The URL of its metrics. */
  get metricsUrl(): string {
    const { endpoint } = this.#running;
    if (endpoint === undefined) throw new Error("the app has no METRICS_PORT");
    return endpoint.url;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get #running(): Started {
    if (this.#started === undefined) throw new Error("the app has not been started");
    return this.#started;
  }

  /** Posts `body` (a string is sent as it is) and reads the whole response. */
  async post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<AppResponse> {
    return await readResponse(await this.open("POST", path, body, headers));
  }

  /** Requests `path` and reads the whole response. */
  async get(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<AppResponse> {
    return await readResponse(await this.open(method, path, undefined, headers));
  }

  /** Posts a chat of one message, or of `messages`. */
  async chat(text: string, more: object = {}): Promise<AppResponse> {
    return await this.post("/stream-chat", { messages: [{ sender: "user", text }], ...more });
  }

  /** Sends a request; resolves with the response once its headers are there, its body unread. */
  async open(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<IncomingMessage> {
    const isSent = body === undefined || typeof body === "string" || Buffer.isBuffer(body);
    const bytes = isSent ? body : JSON.stringify(body);
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const sent = request(this.url + path, { method, agent: false, headers: { ...type, ...headers } });
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    sent.once("response", resolve).once("error", reject).end(bytes);
    const response = await promise;
    // Node itself responds to `Expect`: no route documents that.
    if (headers["expect"] === undefined) requests.set(response, { method, path, check: this.#running.check });
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
    const { app, endpoint, removeFolder } = this.#running;
    await app.close(drainMs);
    await endpoint?.close();
    await removeFolder();
  }
}

/** Starts a turn; returns the model's end of it, and the response once its headers are there. */
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
  const read = { status: statusCode ?? 0, headers, body, isComplete: complete };
  const asked = requests.get(response);
  asked?.check.check(asked.method, asked.path, read);
  return read;
}

/** Starts an app as {@link RunningApp.start} does; the caller closes it. */
export async function startApp(
  variables: Readonly<Record<string, string>>,
  clock: Clock = systemClock,
): Promise<RunningApp> {
  return await new RunningApp().start(variables, clock);
}

/** Makes an empty temporary folder; `remove` deletes it. */
export async function makeFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(temporaryFolder, "foreword-test-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
