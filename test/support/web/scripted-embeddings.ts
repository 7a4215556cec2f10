/** A server of embeddings on loopback, which a test scripts. Its vectors tell topics, not words. */
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { json as readJson } from "node:stream/consumers";
import { z } from "zod";
import { useResource } from "../apps/use-app.ts";
import { closeServer, listen } from "../network/local-port.ts";

const Body = z.object({
  model: z.string(),
  input: z.array(z.string()),
  dimensions: z.number().optional(),
  encoding_format: z.string().optional(),
});

/** A request that the server got. */
export interface EmbeddingRequest {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: z.output<typeof Body>;
}

/** A response: its status, its body as JSON or text, and headers. */
export type EmbeddingResponse = readonly [
  status: number,
  body: unknown,
  headers?: Readonly<Record<string, string>>,
];

/** Words that mean the same, in some languages. */
const topics: readonly (readonly string[])[] = [
  ["holiday", "leave", "vacation", "urlaub", "congés"],
  ["salary", "wage", "paid", "gehalt", "工资"],
  ["train", "railway", "travel", "bahn"],
  ["password", "secret", "credentials"],
];

/** Returns a vector that tells the topics of a text, of length 3 and `width` numbers. */
export function toTopics(text: string, width = 8): number[] {
  const lower = text.toLowerCase();
  const counts = topics.map((words) => words.filter((word) => lower.includes(word)).length);
  const vector = [...counts, 0.1, ...Array.from({ length: width }, () => 0)].slice(0, width);
  const length = Math.hypot(...vector);
  return vector.map((value) => (3 * value) / length);
}

/** The server. Its vectors come in the reverse order, as they may: `index` tells the place. */
export class ScriptedEmbeddings {
  readonly requests: EmbeddingRequest[] = [];
  width = 8;
  /** Responds instead of the usual vectors; `undefined` for those, and `never` for no response at all. */
  respond: (request: EmbeddingRequest) => EmbeddingResponse | "never" | undefined = () => undefined;
  readonly #server = createServer((request, response) => void this.#respond(request, response));
  readonly #heard = new EventEmitter();
  #port = 0;

  /** Starts it on a free port, with nothing of an earlier start. */
  async start(): Promise<this> {
    this.requests.length = 0;
    this.width = 8;
    this.respond = () => undefined;
    this.#port = await listen(this.#server);
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/v1`;
  }

  /** The settings of an app that asks it. */
  get variables(): Readonly<Record<string, string>> {
    return { EMBEDDINGS_BASE_URL: this.url, EMBEDDINGS_MODEL: "topics" };
  }

  /** Resolves once it was asked for a text with `part` in it. */
  async asked(part: string): Promise<void> {
    while (!this.requests.some(({ body }) => body.input.some((text) => text.includes(part))))
      await once(this.#heard, "request");
  }

  async close(): Promise<void> {
    await closeServer(this.#server);
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Body.parse(await readJson(request));
    const asked = { path: request.url ?? "", headers: request.headers, body };
    this.requests.push(asked);
    this.#heard.emit("request");
    const answer = this.respond(asked) ?? ([200, this.#toVectors(asked)] as const);
    if (answer === "never") return;
    const [status, content, headers] = answer;
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof content === "string" ? content : JSON.stringify(content));
  }

  #toVectors({ body: { input, model } }: EmbeddingRequest): object {
    const data = input.map((text, index) => ({
      object: "embedding",
      index,
      embedding: toTopics(text, this.width),
    }));
    return { object: "list", model, data: data.toReversed(), usage: { prompt_tokens: 1, total_tokens: 1 } };
  }
}

/** The server, started for its suite or each test; declare it before the app that uses it. */
export function useEmbeddings(lifetime: "suite" | "test" = "suite"): ScriptedEmbeddings {
  const server = new ScriptedEmbeddings();
  useResource(async (closing) => closing.adopt(await server.start(), () => server.close()), lifetime);
  return server;
}
