/** Connections to a model server, kept for the next request only while they can be trusted. */
import type { Socket } from "node:net";
import { buildConnector, Client, type Dispatcher } from "undici";
import type { Clock } from "../base/clock.ts";
import { ResponseInlet } from "./interim-responses.ts";

const connectTimeoutMs = 5_000;
/**
 * The longest a connection is kept idle, whatever `Keep-Alive: timeout=` says: shorter than the time after
 * which load balancers, NAT and firewalls silently drop one (60 s and more). Without that header undici keeps
 * it for 4 s.
 */
const maxIdleMs = 20_000;
/** An idle connection is probed after this time, then every second; ten unanswered probes close it. */
const idleProbeMs = 1_000;
/** A connection in use is probed later, so that a short outage ends no reply. */
const busyProbeMs = 60_000;

/** A request and its destination. */
export interface PooledRequest {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

interface Connection {
  readonly client: Client;
  socket: Socket | undefined;
  inlet: ResponseInlet | undefined;
  /** The socket, once it has carried a whole response. */
  used: Socket | undefined;
  /** When it became idle, by both clocks: either may stand still while a machine sleeps. */
  idleSinceMs: number;
  idleSince: number;
}

/** A request in flight. */
export interface Exchange {
  /** Whether it went over a reused connection and no byte came back: it may never have arrived. */
  readonly isUnheard: boolean;
}

/** Connections to one server; each carries one request at a time. */
export class ConnectionPool {
  readonly #clock: Clock;
  readonly #connect = buildConnector({ timeout: connectTimeoutMs, keepAliveInitialDelay: busyProbeMs });
  /** The last used connection is taken first. */
  readonly #idle: Connection[] = [];
  readonly #clients = new Set<Client>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Sends a POST; `handler` receives the response.
   * @param isFresh whether to open a new connection, and close the idle ones.
   */
  dispatch(request: PooledRequest, handler: Dispatcher.DispatchHandler, isFresh: boolean): Exchange {
    const { origin, path, headers, body } = request;
    if (isFresh) for (const connection of this.#idle.splice(0)) this.#drop(connection);
    const connection = this.#takeIdle() ?? this.#open(origin);
    const exchange = new PooledExchange(connection, handler, (isWhole) => this.#release(connection, isWhole));
    connection.client.dispatch({ origin, path, method: "POST", headers, body }, exchange);
    return exchange;
  }

  /** Closes every connection, in use or not. */
  async destroy(): Promise<void> {
    await Promise.all(Array.from(this.#clients, (client) => client.destroy()));
  }

  #takeIdle(): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return undefined;
      const { idleSinceMs, idleSince, socket } = connection;
      const idleMs = Math.max(
        this.#clock.monotonicMs() - idleSinceMs,
        this.#clock.now().getTime() - idleSince,
      );
      if (idleMs < maxIdleMs) {
        socket?.setKeepAlive(true, busyProbeMs);
        return connection;
      }
      this.#drop(connection);
    }
  }

  #open(origin: string): Connection {
    const client = new Client(origin, {
      connect: (options, callback) =>
        this.#connect(options, (...result) => {
          const [error, socket] = result;
          if (error === null) {
            connection.socket = socket;
            connection.inlet = new ResponseInlet(socket);
          }
          callback(...result);
        }),
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveMaxTimeout: maxIdleMs,
    });
    const connection: Connection = {
      client,
      socket: undefined,
      inlet: undefined,
      used: undefined,
      idleSinceMs: 0,
      idleSince: 0,
    };
    this.#clients.add(client);
    client.on("disconnect", () => {
      const place = this.#idle.indexOf(connection);
      if (place < 0) return;
      this.#idle.splice(place, 1);
      this.#drop(connection);
    });
    return connection;
  }

  #release(connection: Connection, isWhole: boolean): void {
    const { socket } = connection;
    if (!isWhole || socket === undefined || socket.destroyed) return this.#drop(connection);
    connection.used = socket;
    connection.idleSinceMs = this.#clock.monotonicMs();
    connection.idleSince = this.#clock.now().getTime();
    socket.setKeepAlive(true, idleProbeMs);
    this.#idle.push(connection);
  }

  #drop({ client }: Connection): void {
    this.#clients.delete(client);
    void client.destroy();
  }
}

/** A request on a connection, until its response has ended or failed. */
class PooledExchange implements Dispatcher.DispatchHandler, Exchange {
  readonly #connection: Connection;
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #release: (isWhole: boolean) => void;
  #isReused = false;

  constructor(
    connection: Connection,
    handler: Dispatcher.DispatchHandler,
    release: (isWhole: boolean) => void,
  ) {
    this.#connection = connection;
    this.#handler = handler;
    this.#release = release;
  }

  get isUnheard(): boolean {
    return this.#isReused && this.#connection.inlet?.isHeard === false;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: object): void {
    const { socket, used, inlet } = this.#connection;
    this.#isReused = socket !== undefined && socket === used;
    inlet?.expectHead();
    this.#handler.onRequestStart?.(controller, context);
  }

  onResponseStart(...values: Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>): void {
    this.#handler.onResponseStart?.(...values);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(...values: Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseEnd"]>>): void {
    this.#release(true);
    this.#handler.onResponseEnd?.(...values);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    this.#release(false);
    this.#handler.onResponseError?.(controller, error);
  }
}
