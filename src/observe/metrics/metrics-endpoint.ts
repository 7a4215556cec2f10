/** `GET /metrics` on a port of its own: for Prometheus as text, for other readers as JSON. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { toServerUrl } from "../server-url.ts";
import type { MetricsSnapshot } from "./metrics.ts";
import { prometheusType, toPrometheusText } from "./prometheus-text.ts";

const maxConnections = 100;

/** Where metrics are served. */
export interface MetricsAddress {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

/** Serves metrics until closed. */
export class MetricsEndpoint {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Resolves once it serves. @param read returns the metrics; requests at the same time share one call.
   * @throws Node's error if the address cannot be listened on.
   */
  static async open(address: MetricsAddress, read: () => Promise<MetricsSnapshot>): Promise<MetricsEndpoint> {
    let reading: Promise<MetricsSnapshot> | undefined;
    const readOnce = async (): Promise<MetricsSnapshot> => {
      reading ??= read().finally(() => (reading = undefined));
      return await reading;
    };
    const server = createServer((request, response) => void respond(request, response, readOnce));
    server.maxConnections = maxConnections;
    server.listen(address);
    await once(server, "listening"); // rejects with its error
    return new MetricsEndpoint(server);
  }

  /** The URL of the metrics. */
  get url(): string {
    return `${toServerUrl(this.#server)}/metrics`;
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  read: () => Promise<MetricsSnapshot>,
): Promise<void> {
  const { method = "", url = "" } = request;
  const [path = ""] = url.split("?");
  const write = writers[path];
  if (write === undefined) return send(response, 404, "text/plain", "Not found: see /metrics.\n");
  if (method !== "GET" && method !== "HEAD") return send(response, 405, "text/plain", "Only GET.\n");
  try {
    const { type, body } = write(await read());
    send(response, 200, type, body);
  } catch (error) {
    send(response, 500, "text/plain", `${String(error)}\n`);
  }
}

const writers: Readonly<
  Record<string, (snapshot: MetricsSnapshot) => { readonly type: string; readonly body: string }>
> = {
  "/metrics": (snapshot) => ({ type: prometheusType, body: toPrometheusText(snapshot) }),
  "/metrics.json": (snapshot) => ({ type: "application/json", body: JSON.stringify(snapshot) }),
};

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(response.req.method === "HEAD" ? undefined : body);
}
