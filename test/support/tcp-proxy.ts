/** Owns a TCP proxy on 127.0.0.1 that fails on demand: it refuses, swallows, slices or cuts what passes through it. */
import { connect, createServer, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { listen } from "./local-port.ts";

/** A proxy that forwards everything until told otherwise. */
export interface TcpProxy {
  readonly port: number;
  /** How many client connections are open. */
  readonly connections: number;
  /** Forwards everything, each side's end included. Connections that have met the black hole stay lost. */
  pass(): void;
  /** Destroys new connections at once; open ones pass. */
  refuse(): void;
  /** Accepts connections and swallows what either side sends on any of them, ends included. */
  blackHole(): void;
  /** Sends clients one byte per write. */
  slice(): void;
  /** Destroys all open connections, towards client and server. */
  cutAll(): void;
  /**
   * Lets `count` more bytes through to clients, then destroys the connection that carried the last of them; 0 destroys
   * the next connection that has something to deliver. Happens once, in any mode, to whichever connection gets there.
   */
  cutAfterBytes(count: number): void;
  /** Destroys all connections and listens no more. */
  close(): Promise<void>;
}

type Mode = "pass" | "refuse" | "black-hole" | "slice";

interface Rules {
  mode: Mode;
  /** Bytes for clients until the cut; unset while no cut is due. */
  bytesUntilCut: number | undefined;
}

/** Starts a proxy to `targetPort` on 127.0.0.1, on a port of its own; the caller closes it. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const rules: Rules = { mode: "pass", bytesUntilCut: undefined };
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
    pass: setMode("pass"),
    refuse: setMode("refuse"),
    blackHole: setMode("black-hole"),
    slice: setMode("slice"),
    cutAll,
    cutAfterBytes(count) {
      rules.bytesUntilCut = count;
    },
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
  /** Set once anything was swallowed: what follows would no longer fit, so nothing passes ever again. */
  #isLost = false;
  /** The last thing on its way to the client; the server's end comes after it, though Node may report it before. */
  #delivery = Promise.resolve();

  constructor(client: Socket, targetPort: number, rules: Rules, onClosed: () => void) {
    this.#client = client;
    this.#rules = rules;
    this.#server = this.#meetsBlackHole()
      ? undefined
      : connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const server = this.#server;
    const forget = (): void => {
      if (client.closed && (server === undefined || server.closed)) onClosed();
    };
    client.on("data", (chunk) => this.#toServer(chunk));
    client.on("end", () => this.#meetsBlackHole() || server?.end());
    server?.on("data", (chunk) => this.#toClient(chunk));
    server?.on("end", () => void this.#delivery.then(() => this.#meetsBlackHole() || client.end()));
    for (const [side, otherSide] of [
      [client, server],
      [server, client],
    ]) {
      side?.on("error", () => this.#meetsBlackHole() || otherSide?.resetAndDestroy());
      side?.on("close", forget);
    }
  }

  /** Whether the client has not gone; one that left through the black hole has, for all we know, not. */
  get isOpen(): boolean {
    return !this.#client.destroyed;
  }

  cut(): void {
    this.#client.destroy();
    this.#server?.destroy();
  }

  /** Whether what has just come is to be swallowed; remembers that. */
  #meetsBlackHole(): boolean {
    if (this.#rules.mode === "black-hole") this.#isLost = true;
    return this.#isLost;
  }

  #toServer(chunk: Buffer): void {
    if (this.#meetsBlackHole() || this.#server?.write(chunk) !== false) return;
    this.#client.pause();
    this.#server.once("drain", () => this.#client.resume());
  }

  #toClient(chunk: Buffer): void {
    const left = this.#meetsBlackHole() ? undefined : this.#rules.bytesUntilCut;
    const isCut = left !== undefined && chunk.length >= left;
    if (left !== undefined) this.#rules.bytesUntilCut = isCut ? undefined : left - chunk.length;
    this.#server?.pause();
    this.#delivery = this.#deliver(isCut ? chunk.subarray(0, left) : chunk);
    void this.#delivery.then(() => (isCut ? this.cut() : this.#server?.resume()));
  }

  /** Settles once the system has taken all bytes, or the client has gone. Never rejects. */
  async #deliver(bytes: Buffer): Promise<void> {
    let position = 0;
    while (position < bytes.length && !this.#meetsBlackHole() && !this.#client.destroyed) {
      const end = this.#rules.mode === "slice" ? position + 1 : bytes.length;
      const piece = bytes.subarray(position, end);
      await new Promise<void>((resolve) => void this.#client.write(piece, () => resolve()));
      if (this.#rules.mode === "slice") await nextTurn(); // else the system may join it to the next
      position = end;
    }
  }
}
