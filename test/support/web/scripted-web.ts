/** A search engine and some web pages on loopback, which a test scripts. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text as readText } from "node:stream/consumers";
import { useResource } from "../apps/use-app.ts";
import { closeServer, listen } from "../network/local-port.ts";

/** A request that the engine got. */
export interface SearchRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Responds to a request for a page. */
export type PageScript = (response: ServerResponse, request: IncomingMessage) => void;

/** One server for the engine, at any path but `/pages/…`, and for the pages. */
export class ScriptedWeb {
  readonly searches: SearchRequest[] = [];
  readonly pageRequests: string[] = [];
  /** Responds to searches: a status, and JSON or a text. By default, nothing is found. */
  engine: (request: SearchRequest) => readonly [number, unknown] = () => [200, { results: [] }];
  /** By the part of the path after `/pages/`. */
  readonly pages = new Map<string, PageScript>();
  readonly #server = createServer((request, response) => void this.#respond(request, response));
  #port = 0;

  /** Starts it on a free port, with nothing of an earlier start. */
  async start(): Promise<this> {
    this.searches.length = 0;
    this.pageRequests.length = 0;
    this.pages.clear();
    this.engine = () => [200, { results: [] }];
    this.#port = await listen(this.#server);
    return this;
  }

  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  /** The settings of an app that asks it as SearXNG. */
  get variables(): Readonly<Record<string, string>> {
    return { SEARCH_ENGINE: "searxng", SEARCH_BASE_URL: this.url, SEARCH_ALLOWED_HOSTS: this.host };
  }

  toPageUrl(name: string): string {
    return `${this.url}/pages/${name}`;
  }

  /** Has a page of HTML. */
  addHtml(name: string, html: string): void {
    this.pages.set(name, (response) => response.setHeader("content-type", "text/html").end(html));
  }

  /** Answers every search as SearXNG does. */
  find(
    ...results: readonly { readonly title: string; readonly url: string; readonly content: string }[]
  ): void {
    this.engine = () => [200, { query: "", results }];
  }

  async close(): Promise<void> {
    await closeServer(this.#server);
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", this.url);
    const name = /^\/pages\/(.+)$/.exec(url.pathname)?.[1];
    if (name !== undefined) {
      this.pageRequests.push(name);
      const page = this.pages.get(name);
      return page === undefined ? void response.writeHead(404).end() : page(response, request);
    }
    const body = await readText(request);
    const search = { method: request.method ?? "", url, headers: request.headers, body };
    this.searches.push(search);
    const [status, answer] = this.engine(search);
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  }
}

/** The web, started for each test; declare it before the app that uses it. */
export function useWeb(lifetime: "suite" | "test" = "test"): ScriptedWeb {
  const web = new ScriptedWeb();
  useResource(async (closing) => closing.adopt(await web.start(), () => web.close()), lifetime);
  return web;
}
