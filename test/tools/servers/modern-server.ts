/** A server of tools built with MCP's own library, which speaks the newest protocol: without sessions. */
import { createServer, type Server } from "node:http";
import { Readable } from "node:stream";
import { createMcpHandler, fromJsonSchema, McpServer } from "@modelcontextprotocol/server";
import { readBody } from "./scripted-http-server.ts";

/** The aborted calls of the tool `slow`, and the names of its tools. */
export interface ModernServer {
  readonly server: Server;
  /** Resolves when the handler of a call learns that it is cancelled. */
  readonly cancelled: Promise<void>;
  /** Lists another tool from now on, and tells the clients. */
  rename(): void;
}

/** Returns a server that does not listen yet. */
export function createModernServer(): ModernServer {
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  let name = "before";
  const handler = createMcpHandler(() => {
    const server = new McpServer(
      { name: "modern", version: "1" },
      { capabilities: { tools: { listChanged: true } } },
    );
    const inputSchema = fromJsonSchema({ type: "object" });
    server.registerTool(name, { inputSchema }, () => ({ content: [{ type: "text", text: name }] }));
    server.registerTool("slow", { inputSchema }, async (_input, context) => {
      const { promise: aborted, resolve: abort } = Promise.withResolvers<void>();
      context.mcpReq.signal.addEventListener("abort", () => abort());
      await aborted;
      resolve();
      return { content: [] };
    });
    server.registerTool(
      "region",
      {
        // The library's type of a schema does not know the member that asks for a header.
        inputSchema: fromJsonSchema(
          JSON.parse('{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}'),
        ),
      },
      () => ({ content: [{ type: "text", text: "the header was there" }] }),
    );
    return server;
  });
  const server = createServer((request, response) => {
    void (async () => {
      const { method = "GET", url = "/", headers } = request;
      const body = await readBody(request);
      const closing = new AbortController();
      response.once("close", () => closing.abort());
      const asked = new Request(`http://127.0.0.1${url}`, {
        method,
        headers: Object.entries(headers).map(([key, value]) => [key, String(value)]),
        signal: closing.signal,
        ...(method === "POST" && { body }),
      });
      const answer = await handler.fetch(asked);
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      if (answer.body === null) response.end();
      else
        Readable.fromWeb(answer.body)
          .on("error", () => {})
          .pipe(response);
    })();
  });
  const rename = (): void => {
    name = "after";
    handler.notify.toolsChanged();
  };
  return { server, cancelled, rename };
}
