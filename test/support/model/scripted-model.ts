/** A model server whose responses a test scripts, over real HTTP. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { z } from "zod";
import { closeServer } from "../network/local-port.ts";

const RequestBody = z.looseObject({
  model: z.string(),
  messages: z.array(z.looseObject({ role: z.string(), content: z.unknown() })),
});

/** A request to the model server, and the test's response to it. */
export class ScriptedCall {
  readonly body: z.infer<typeof RequestBody>;
  readonly headers: IncomingHttpHeaders;
  readonly path: string;
  readonly #response: ServerResponse;
  #toolCalls = 0;
  /** The connection it arrived on. */
  readonly remotePort: number | undefined;
  /** Resolves when the request's connection is closed, by either side. */
  readonly closed: Promise<unknown>;

  constructor(body: unknown, headers: IncomingHttpHeaders, path: string, response: ServerResponse) {
    this.body = RequestBody.parse(body);
    this.headers = headers;
    this.path = path;
    this.#response = response;
    this.remotePort = response.socket?.remotePort;
    this.closed = once(response, "close");
  }

  /** Sends status and headers, an event stream's by default. */
  head(
    status = 200,
    headers: Readonly<Record<string, string | string[]>> = { "content-type": "text/event-stream" },
  ): this {
    this.#response.writeHead(status, headers).flushHeaders();
    return this;
  }

  /** Sends an interim response before the real one. */
  earlyHints(): this {
    this.#response.writeEarlyHints({ link: "</x>; rel=preload" });
    return this;
  }

  /** Writes `bytes` directly to the connection, before the head. */
  beforeHead(bytes: string): this {
    this.#response.socket?.write(bytes);
    return this;
  }

  /** Sends bytes as they are. */
  raw(bytes: string | Uint8Array): this {
    if (!this.#response.headersSent) this.head();
    this.#response.write(bytes);
    return this;
  }

  /** Sends one event. */
  event(value: unknown): this {
    return this.raw(toEvent(value));
  }

  /** Sends a piece of text. */
  text(content: string): this {
    return this.event(toChunk({ content }));
  }

  /**
   * Sends a tool call as OpenAI does: an event with its id and name, then its arguments in three pieces. Then
   * {@link finish} with `tool_calls`.
   * @param input the arguments, or their text.
   * @param id by default `call_0`, `call_1` and so on, like its index.
   */
  toolCall(name: string, input: object | string = {}, id = `call_${this.#toolCalls}`): this {
    const index = this.#toolCalls;
    this.#toolCalls += 1;
    const text = typeof input === "string" ? input : JSON.stringify(input);
    this.event(toToolChunk({ index, id, type: "function", function: { name, arguments: "" } }));
    for (const piece of cutInThree(text)) this.event(toToolChunk({ index, function: { arguments: piece } }));
    return this;
  }

  /** Sends the finish reason, and ends the stream. */
  finish(reason = "stop"): void {
    this.event(toChunk({}, reason)).raw("data: [DONE]\n\n");
    this.end();
  }

  /** Ends the body cleanly, whatever was sent. */
  end(body = ""): void {
    this.#response.end(body);
  }

  /** Closes the connection in the middle of the body, after the text so far. */
  cutOff(): void {
    this.#response.socket?.end();
  }

  /** Breaks the connection. */
  destroy(): void {
    this.#response.socket?.resetAndDestroy();
  }
}

/** Returns a completion chunk. */
export function toChunk(delta: object, finishReason: string | null = null): object {
  return {
    id: "c",
    object: "chat.completion.chunk",
    created: 1,
    model: "scripted-1",
    choices: [{ index: 0, delta, finish_reason: finishReason }],
  };
}

/** Returns a completion chunk with a piece of each of `calls`. */
export function toToolChunk(...calls: readonly object[]): object {
  return toChunk({ tool_calls: calls });
}

function cutInThree(text: string): string[] {
  const characters = Array.from(text);
  const length = Math.ceil(characters.length / 3);
  return [0, 1, 2]
    .map((part) => characters.slice(part * length, (part + 1) * length).join(""))
    .filter((piece) => piece !== "");
}

/** Returns `value` as an event, with its blank line. */
export function toEvent(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** Responds to a request. */
export type Script = (call: ScriptedCall) => unknown;

const sayHello: Script = (call) => call.text("- Think\n---RESPONSE---\n").text("Hello.").finish();

/** A model server. */
export class ScriptedModel {
  readonly calls: ScriptedCall[] = [];
  /** Responds to each request; by default with a short reply. */
  script: Script = sayHello;
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (request.method === "GET") {
        response
          .setHeader("content-type", "application/json")
          .end(JSON.stringify({ object: "list", data: this.models.map((id) => ({ id, object: "model" })) }));
        return;
      }
      const call = new ScriptedCall(
        JSON.parse(Buffer.concat(chunks).toString()),
        request.headers,
        request.url ?? "",
        response,
      );
      this.calls.push(call);
      void this.script(call);
    });
  });
  models = ["scripted-1"];
  #port = 0;

  /** Starts one on a free port; close it with {@link close}. */
  static async start(): Promise<ScriptedModel> {
    return await new ScriptedModel().start();
  }

  /**
   * Starts it with the short reply and no calls; it can be started again after {@link close}.
   * @param port by default a free one.
   */
  async start(port = 0): Promise<this> {
    this.script = sayHello;
    this.calls.length = 0;
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    this.#port = address.port;
    return this;
  }

  /** The value of OPENAI_BASE_URL. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/v1`;
  }

  /** Resolves with the next request, for the test to respond to. */
  nextCall(): Promise<ScriptedCall> {
    const { promise, resolve } = Promise.withResolvers<ScriptedCall>();
    this.script = resolve;
    return promise;
  }

  /** Responds to every request with `pieces`, one event each, and a clean end. */
  say(...pieces: string[]): void {
    this.script = (call) => {
      for (const piece of pieces) call.text(piece);
      call.finish();
    };
  }

  /** Responds to the next requests with `scripts`, one each; the last also to all that follow. */
  inOrder(...scripts: readonly Script[]): void {
    let next = 0;
    this.script = (call) => {
      const script = scripts[Math.min(next, scripts.length - 1)];
      next += 1;
      return script?.(call);
    };
  }

  async close(): Promise<void> {
    await closeServer(this.#server);
  }
}
