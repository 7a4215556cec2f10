/** A server of tools over HTTP, whose responses to calls a test writes byte by byte. */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { closeServer } from "../../support/network/local-port.ts";
import { once } from "node:events";

/** A call of a tool: its response is not begun. */
export interface ScriptedToolCall {
  readonly id: number;
  readonly name: string;
  readonly response: ServerResponse;
  /** Resolves when the client has closed the response. */
  readonly closed: Promise<unknown>;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly name?: string; readonly requestId?: number; readonly cursor?: string };
}

/** The server, from {@link start} to {@link stop}; it can be started again, and then knows no session. */
export class ScriptedHttpServer {
  /** The lists of tools, a page each. */
  pages: readonly (readonly unknown[])[] = [[{ name: "tool", inputSchema: { type: "object" } }]];
  /** Called with each call of a tool. */
  onCall: (call: ScriptedToolCall) => void = () => {};
  /** The calls that the client has cancelled. */
  readonly cancelled: number[] = [];
  /** The headers of every request. */
  readonly requests: IncomingMessage["headers"][] = [];
  /** The number of calls that arrived. */
  callCount = 0;
  readonly port: number;
  #server: Server | undefined;
  #sessions = new Set<string>();
  readonly #streams = new Set<ServerResponse>();

  constructor(port: number) {
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/mcp`;
  }

  async start(): Promise<void> {
    this.#sessions = new Set();
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.listen(this.port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async stop(): Promise<void> {
    if (this.#server?.listening === true) await closeServer(this.#server);
  }

  /** Forgets all sessions, as a server does that restarts, but keeps its connections. */
  forget(): void {
    this.#sessions.clear();
  }

  /** Tells the clients that the list of tools has changed. */
  tellChange(): void {
    for (const stream of this.#streams)
      stream.write('data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(request.headers);
    const session = request.headers["mcp-session-id"];
    const body = await readBody(request);
    if (session !== undefined && !this.#sessions.has(String(session)))
      return void response.writeHead(404).end("Session not found");
    if (request.method === "GET") {
      this.#streams.add(response);
      response.once("close", () => this.#streams.delete(response));
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      return;
    }
    if (request.method !== "POST") return void response.writeHead(200).end();
    const message: Message = JSON.parse(body);
    this.#receive(message, response);
  }

  #receive({ id, method, params }: Message, response: ServerResponse): void {
    if (method === "notifications/cancelled" && params?.requestId !== undefined)
      this.cancelled.push(params.requestId);
    if (id === undefined) return void response.writeHead(202).end();
    switch (method ?? "") {
      case "initialize": {
        const session = randomUUID();
        this.#sessions.add(session);
        const capabilities = { tools: { listChanged: true } };
        const serverInfo = { name: "scripted", version: "1" };
        return sendJson(
          response,
          { id, result: { protocolVersion: "2025-06-18", capabilities, serverInfo } },
          { "mcp-session-id": session },
        );
      }
      case "tools/list": {
        const page = Number(params?.cursor ?? 0);
        const nextCursor = page + 1 < this.pages.length ? String(page + 1) : undefined;
        return sendJson(response, { id, result: { tools: this.pages[page] ?? [], nextCursor } });
      }
      case "tools/call":
        this.callCount += 1;
        return this.onCall({ id, name: params?.name ?? "", response, closed: once(response, "close") });
      default:
        return sendJson(response, { id, error: { code: -32601, message: "Method not found" } });
    }
  }
}

/** Sends a message as the whole response. */
export function sendJson(
  response: ServerResponse,
  message: object,
  headers: Record<string, string> = {},
): void {
  response
    .writeHead(200, { "content-type": "application/json", ...headers })
    .end(JSON.stringify({ jsonrpc: "2.0", ...message }));
}

/** Responds to a call with a text. */
export function sendText({ id, response }: ScriptedToolCall, text: string): void {
  sendJson(response, { id, result: { content: [{ type: "text", text }] } });
}

/** Resolves with the body of a request. */
export async function readBody(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += String(chunk);
  return body;
}
