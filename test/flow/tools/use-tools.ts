/** A tool server for whole turns, whose calls wait for the test, and the events of a typed stream. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AppResponse } from "../../support/apps/start-app.ts";
import { makeFolder } from "../../support/apps/start-app.ts";
import { findFreePort } from "../../support/network/local-port.ts";
import type { ScriptedModel } from "../../support/model/scripted-model.ts";
import { toStreamEvents, type StreamEvent } from "../../support/clients/stream-events.ts";
import { useResource } from "../../support/apps/use-app.ts";
import {
  ScriptedHttpServer,
  sendText,
  type ScriptedToolCall,
} from "../../tools/servers/scripted-http-server.ts";

export const typed = { accept: "text/event-stream" };

/** A tool that the server `w` lists besides its own. */
export interface ListedTool {
  readonly name: string;
  readonly annotations?: Readonly<Record<string, boolean>>;
}

/** A tool server `w`, whose tool `look` only reads, and whose tool `act` has to be approved. */
export class ScriptedTools {
  readonly #more: readonly ListedTool[];
  #server: ScriptedHttpServer | undefined;
  #file = "";

  /** @param more tools that the settings name as `read`. */
  constructor(more: readonly ListedTool[] = []) {
    this.#more = more;
  }

  get server(): ScriptedHttpServer {
    if (this.#server === undefined) throw new Error("the tools have not been started");
    return this.#server;
  }

  /** The settings of an app that uses them. */
  get variables(): Readonly<Record<string, string>> {
    return { MCP_SERVERS_FILE: this.#file };
  }

  /** Responds to every call with `text`. */
  say(text: string): void {
    this.server.onCall = (call) => sendText(call, text);
  }

  /** Resolves with the next call, for the test to respond to. */
  nextCall(): Promise<ScriptedToolCall> {
    const { promise, resolve } = Promise.withResolvers<ScriptedToolCall>();
    this.server.onCall = resolve;
    return promise;
  }

  async start(folder: string): Promise<void> {
    this.#server = new ScriptedHttpServer(await findFreePort());
    await this.#server.start();
    this.#server.pages = [
      [{ name: "look" }, { name: "act" }, ...this.#more].map((tool) => {
        return { description: tool.name, inputSchema: { type: "object" }, ...tool };
      }),
    ];
    this.#file = join(folder, "mcp.json");
    const more = Object.fromEntries(this.#more.map(({ name }) => [name, "read"]));
    const access = { look: { access: "read", price: 0.25 }, act: "ask", ...more };
    const w = { url: this.#server.url, tools: access };
    await writeFile(this.#file, JSON.stringify({ mcpServers: { w } }));
    this.say("42");
  }
}

/** The tools, started for each test; declare them before the app that uses them. */
export function useTools(
  lifetime: "suite" | "test" = "test",
  more: readonly ListedTool[] = [],
): ScriptedTools {
  const tools = new ScriptedTools(more);
  useResource(async (closing) => {
    const folder = await makeFolder();
    closing.defer(() => folder.remove());
    await tools.start(folder.path);
    closing.defer(() => tools.server.stop());
  }, lifetime);
  return tools;
}

/** The settings of an app that uses `mcpServers`, from a file of its suite; declare them before the app. */
export function useToolsFile(mcpServers: object): () => Readonly<Record<string, string>> {
  let file = "";
  useResource(async (closing) => {
    const folder = closing.adopt(await makeFolder(), (made) => made.remove());
    file = join(folder.path, "mcp.json");
    await writeFile(file, JSON.stringify({ mcpServers }));
  });
  return () => ({ MCP_SERVERS_FILE: file });
}

/** An event of the typed stream, with its id. */
export type TypedEvent = StreamEvent;

/** Returns the events of a response, without their start. */
export function eventsOf({ body }: AppResponse): readonly TypedEvent[] {
  return toStreamEvents(body).filter(({ type }) => type !== "turn-start");
}

/** Has `model` call two tools of the stdio server `hand` that have to be approved, and then end its reply. */
export function sayTwoCalls(model: ScriptedModel): void {
  model.inOrder(
    (call) =>
      call
        .text("- Echo\n---RESPONSE---\nLet me see.")
        .toolCall("hand__echo", {}, "c1")
        .toolCall("hand__pid", {}, "c2")
        .finish("tool_calls"),
    (call) => call.text("Done.").finish(),
  );
}
