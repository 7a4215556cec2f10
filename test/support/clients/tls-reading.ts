/** Reads a response through a proxy, in HTTP/1.1 or HTTP/2 over TLS, live and to any kind of end. */
import { EventEmitter, once } from "node:events";
import { connect } from "node:http2";
import { request, type Agent } from "node:https";

/** The protocols of clients. */
export const clientProtocols = ["HTTP/1.1", "HTTP/2"] as const;
export type ClientProtocol = (typeof clientProtocols)[number];

/** A request, and its response, live; over a connection of its own, unless `agent` reuses some. */
export class TlsReading {
  status = 0;
  headers: Readonly<Record<string, unknown>> = {};
  /** The text so far. */
  text = "";
  /** How the body ended: `whole`, or `cut`; `undefined` until it has. */
  ending: "whole" | "cut" | undefined;
  readonly #news = new EventEmitter();
  #leave: () => void = () => {};

  constructor(
    protocol: ClientProtocol,
    url: string,
    method: string,
    path: string,
    body?: string,
    headers: Record<string, string> = {},
    agent: Agent | false = false,
  ) {
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const all = { ...type, ...headers };
    if (protocol === "HTTP/1.1") this.#overHttp1(url + path, method, body, all, agent);
    else this.#overHttp2(url, method, path, body, all);
  }

  /** Resolves when `text` has come; rejects if the body ends without it. */
  async until(text: string): Promise<void> {
    while (!this.text.includes(text)) {
      if (this.ending !== undefined)
        throw new Error(`${this.status}, ${this.ending}, without ${text}: ${this.text}`);
      await once(this.#news, "news");
    }
  }

  /** Resolves when no more will come. */
  async end(): Promise<this> {
    while (this.ending === undefined) await once(this.#news, "news");
    return this;
  }

  /** Closes the connection. */
  leave(): void {
    this.#leave();
  }

  #overHttp1(
    url: string,
    method: string,
    body: string | undefined,
    headers: Record<string, string>,
    agent: Agent | false,
  ): void {
    const sent = request(url, { method, headers, agent, rejectUnauthorized: false });
    this.#leave = () => void sent.destroy();
    sent
      .once("response", (response) => {
        this.status = response.statusCode ?? 0;
        this.headers = response.headers;
        response
          .setEncoding("utf8")
          .on("data", (chunk: string) => this.#take(chunk))
          .on("error", () => {});
        response.once("close", () => this.#end(response.complete));
        this.#take("");
      })
      .on("error", () => this.#end(false))
      .end(body);
  }

  #overHttp2(
    url: string,
    method: string,
    path: string,
    body: string | undefined,
    headers: Record<string, string>,
  ): void {
    const session = connect(url, { rejectUnauthorized: false });
    session.on("error", () => this.#end(false));
    const stream = session.request({ ":method": method, ":path": path, ...headers });
    this.#leave = () => session.destroy();
    let hasEnded = false;
    stream
      .setEncoding("utf8")
      .once("response", (received) => {
        this.status = Number(received[":status"]);
        this.headers = received;
        this.#take("");
      })
      .on("data", (chunk: string) => this.#take(chunk))
      .once("end", () => (hasEnded = true))
      .on("error", () => {})
      .once("close", () => {
        this.#end(hasEnded && stream.rstCode === 0 && !stream.aborted);
        session.close();
      })
      .end(body);
  }

  #take(chunk: string): void {
    this.text += chunk;
    this.#news.emit("news");
  }

  #end(isWhole: boolean): void {
    this.ending ??= isWhole ? "whole" : "cut";
    this.#news.emit("news");
  }
}
