/** A TCP proxy on 127.0.0.1 that fails on demand: it refuses, swallows, delays, slices or cuts traffic. */
import { connect, createServer, type Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as wait } from "node:timers/promises";
import { listen } from "./local-port.ts";

/** A proxy that forwards everything until told otherwise. */
export interface TcpProxy {
  readonly port: number;
  /** The number of open client connections. */
  readonly connections: number;
  /** How many of them have met the black hole. */
  readonly lost: number;
  /** Forwards everything, each side's end included. Connections that have met the black hole stay lost. */
  pass(): void;
  /** Destroys all open connections, and new ones at once. */
  refuse(): void;
  /** Accepts connections and swallows everything that either side sends, ends included. */
  blackHole(): void;
  /** Sends clients one byte per write. */
  slice(): void;
  /**
   * Delays everything that either side sends, ends included, by `ms`, in order and in any mode; 0 stops that.
   */
  delay(ms: number): void;
  /**
   * Ends one direction of all open connections cleanly: `side` sees the other's end, and gets nothing more.
   * The other direction stays open.
   */
  halfClose(side: Side): void;
  /** Destroys all open connections, towards client and server. */
  cutAll(): void;
  /**
   * Lets `count` more bytes through to clients, then destroys the connection that carried the last of them; 0
   * destroys the next connection that has something to deliver. Happens once, in any mode, to the first
   * connection there.
   */
  cutAfterBytes(count: number): void;
  /** Resolves at the next cut requested by {@link cutAfterBytes}. */
  nextCut(): Promise<void>;
  /** Destroys all connections and listens no more. */
  close(): Promise<void>;
}

/** The two ends of a connection. */
export type Side = "client" | "server";

type Mode = "pass" | "refuse" | "black-hole" | "slice";

interface Rules {
  mode: Mode;
  delayMs: number;
  /** Bytes for clients until the cut; unset while no cut is due. */
  bytesUntilCut: number | undefined;
  /** Told of that cut. */
  onCut: PromiseWithResolvers<void>;
}

/** The most bytes in transit in one direction before its source has to wait. */
const maxPendingBytes = 64 * 1024;

/** Starts a proxy to `targetPort` on 127.0.0.1, on a free port; the caller closes it. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const rules: Rules = {
    mode: "pass",
    delayMs: 0,
    bytesUntilCut: undefined,
    onCut: Promise.withResolvers(),
  };
  const links = new Set<Link>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (rules.mode === "refuse") {
      client.destroy();
      return;
    }
    const link: Link = new Link(client, targetPort, rules, () => links.delete(link));
    links.add(link);
  });
  const port = await listen(server);
  const setMode = (mode: Mode) => (): void => {
    rules.mode = mode;
  };
  const cutAll = (): void => {
    for (const link of links) link.cut();
  };
  return {
    port,
    get connections() {
      return [...links].filter((link) => link.isOpen).length;
    },
    get lost() {
      return [...links].filter((link) => link.isLost).length;
    },
    pass: setMode("pass"),
    refuse() {
      setMode("refuse")();
      cutAll();
    },
    blackHole: setMode("black-hole"),
    slice: setMode("slice"),
    delay(ms) {
      rules.delayMs = ms;
    },
    halfClose(side) {
      for (const link of links) link.endTowards(side);
    },
    cutAll,
    cutAfterBytes(count) {
      rules.bytesUntilCut = count;
    },
    nextCut: () => rules.onCut.promise,
    async close() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      cutAll();
      await closed;
    },
  };
}

/** One client's connection and the one to the server that belongs to it. */
class Link {
  readonly #client: Socket;
  /** Unset for a connection accepted by the black hole. */
  readonly #server: Socket | undefined;
  readonly #rules: Rules;
  readonly #lanes: Readonly<Record<Side, Lane | undefined>>;
  /** Set once anything was swallowed: later data would no longer fit, so nothing passes ever again. */
  #isLost = false;

  constructor(client: Socket, targetPort: number, rules: Rules, onClosed: () => void) {
    this.#client = client;
    this.#rules = rules;
    this.#server = this.#meetsBlackHole()
      ? undefined
      : connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const server = this.#server;
    const isLost = (): boolean => this.#meetsBlackHole();
    const lanes = {
      server: server && new Lane(client, server, rules, isLost, () => false),
      client: server && new Lane(server, client, rules, isLost, () => rules.mode === "slice"),
    };
    this.#lanes = lanes;
    client.on("data", (chunk) => void lanes.server?.send(chunk));
    client.on("end", () => void lanes.server?.end());
    server?.on("data", (chunk) => void this.#toClient(chunk));
    server?.on("end", () => void lanes.client?.end());
    const forget = (): void => {
      if (client.closed && (server === undefined || server.closed)) onClosed();
    };
    for (const [side, otherSide] of [
      [client, server],
      [server, client],
    ]) {
      side?.on("error", () => this.#meetsBlackHole() || otherSide?.resetAndDestroy());
      side?.on("close", forget);
    }
  }

  /** Whether the client is still there; leaving through the black hole goes unnoticed. */
  get isOpen(): boolean {
    return !this.#client.destroyed;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  endTowards(side: Side): void {
    void this.#lanes[side]?.end();
  }

  cut(): void {
    this.#client.destroy();
    this.#server?.destroy();
  }

  /** Whether new data must be swallowed; remembers that. */
  #meetsBlackHole(): boolean {
    if (this.#rules.mode === "black-hole") this.#isLost = true;
    return this.#isLost;
  }

  async #toClient(chunk: Buffer): Promise<void> {
    const left = this.#meetsBlackHole() ? undefined : this.#rules.bytesUntilCut;
    const isCut = left !== undefined && chunk.length >= left;
    if (left !== undefined) this.#rules.bytesUntilCut = isCut ? undefined : left - chunk.length;
    await this.#lanes.client?.send(isCut ? chunk.subarray(0, left) : chunk);
    if (!isCut) return;
    this.cut();
    this.#rules.onCut.resolve();
    this.#rules.onCut = Promise.withResolvers();
  }
}

/** One direction of a link. */
class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #rules: Rules;
  readonly #isLost: () => boolean;
  readonly #isSliced: () => boolean;
  /** The last item in transit; the source's end comes after it, though Node may report it before. */
  #delivery = Promise.resolve();
  #pendingBytes = 0;
  #isEnded = false;

  constructor(from: Socket, to: Socket, rules: Rules, isLost: () => boolean, isSliced: () => boolean) {
    this.#from = from;
    this.#to = to;
    this.#rules = rules;
    this.#isLost = isLost;
    this.#isSliced = isSliced;
  }

  /** Resolves once the system has taken all bytes, or their reader has gone. Never rejects. */
  async send(chunk: Buffer): Promise<void> {
    if (this.#isLost()) return;
    this.#pendingBytes += chunk.length;
    if (this.#rules.delayMs === 0 || this.#pendingBytes >= maxPendingBytes) this.#from.pause();
    await this.#follow(() => this.#deliver(chunk));
    this.#pendingBytes -= chunk.length;
    if (this.#pendingBytes < maxPendingBytes) this.#from.resume();
  }

  /** Ends the direction once everything sent before has arrived; later data is swallowed. */
  async end(): Promise<void> {
    if (this.#isLost()) return;
    await this.#follow(async () => {
      if (this.#isLost() || this.#isEnded) return;
      this.#isEnded = true;
      this.#to.end();
    });
  }

  /** Runs `step` after all items in transit, and no sooner than the delay. */
  async #follow(step: () => Promise<void>): Promise<void> {
    const { delayMs } = this.#rules;
    const due = delayMs === 0 ? undefined : wait(delayMs, undefined, { ref: false });
    this.#delivery = Promise.all([this.#delivery, due]).then(step);
    await this.#delivery;
  }

  async #deliver(bytes: Buffer): Promise<void> {
    let position = 0;
    while (position < bytes.length && !this.#isLost() && !this.#isEnded && !this.#to.destroyed) {
      const isSliced = this.#isSliced();
      const end = isSliced ? position + 1 : bytes.length;
      const piece = bytes.subarray(position, end);
      await new Promise<void>((resolve) => void this.#to.write(piece, () => resolve()));
      if (isSliced) await nextTurn(); // else the system may join it to the next
      position = end;
    }
  }
}
