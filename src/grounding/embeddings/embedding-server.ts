/** Asks a server for the vectors of texts, by the request that OpenAI has made usual: `/v1/embeddings`. */
import { Buffer } from "node:buffer";
import { Agent, request, type Dispatcher } from "undici";
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import { mebibyte } from "../../base/sizes.ts";
import { parseJson } from "../../base/json.ts";
import { takeCredentials } from "../credentials.ts";
import { readResponseText } from "../response-text.ts";
import type { EmbeddingSettings } from "./settings.ts";

/** A text's vector, of length 1; `undefined` if the server had none for it, as for one that is too long. */
export type TextVector = Float32Array | undefined;

/** A vector, with the name of the vectors that it can be compared with. */
export interface EmbeddedText {
  readonly model: string;
  readonly vector: Float32Array;
}

/** How long connecting may take; the rest is up to callers. */
const connectTimeoutMs = 5_000;
const maxResponseBytes = 64 * mebibyte;
/** What a status suggests. The response itself is not told: it may quote the texts. */
const statusAdvice: Readonly<Record<number, string>> = {
  401: ": check EMBEDDINGS_API_KEY",
  403: ": check EMBEDDINGS_API_KEY",
  404: ": check EMBEDDINGS_BASE_URL, which must be the API's root, without /embeddings, and EMBEDDINGS_MODEL",
};
/** Statuses of a request whose texts are too many or too long, or that is wrong in another way. */
const refusals: readonly number[] = [400, 413, 422, 500];
/** How many bytes a number takes in base64, which some servers send whatever they are asked. */
const numberBytes = 4;

/** The numbers of a vector, or the bytes of them; a server's NaN arrives as null. */
const Numbers = z.union([
  z.array(z.number().nullable()).transform((numbers) => Float32Array.from(numbers, (value) => value ?? NaN)),
  z.string().transform(readBase64),
]);
const Response = z.object({
  data: z.array(z.object({ index: z.number().int().nullish(), embedding: Numbers })),
});

/** A server of embeddings. */
export class EmbeddingServer {
  readonly #settings: EmbeddingSettings;
  readonly #agent = new Agent({ connect: { timeout: connectTimeoutMs } });
  #width: number | undefined;
  /** The status of the last refusal. */
  #refusal = 0;

  constructor(settings: EmbeddingSettings) {
    this.#settings = settings;
  }

  /**
   * Names the model, with the width of its last vectors: only vectors of the same name can be compared.
   * `undefined` until there is one.
   */
  get modelName(): string | undefined {
    const { model, passagePrefix } = this.#settings;
    return this.#width === undefined ? undefined : [model, this.#width, passagePrefix].join(" ").trim();
  }

  /**
   * Resolves with the vector of a question.
   * @throws AppError as {@link embedPassages} does, and if the server takes no such text.
   */
  async embedQuestion(question: string, signal: AbortSignal): Promise<EmbeddedText> {
    const vectors = await this.#ask([this.#settings.queryPrefix + question], signal);
    if (vectors === "refused") throw this.#toRefusal("the question");
    const vector = vectors[0] && normalize(vectors[0]);
    const model = this.modelName;
    if (vector === undefined || model === undefined) throw toFailure("the question's vector is zero");
    return { vector, model };
  }

  /**
   * Resolves with the vectors of `texts` in their order, or with `refused` if the server took none of them:
   * fewer, or shorter ones, may do.
   * @throws AppError `search_unavailable` without a usable response, with the time to wait if it tells one.
   */
  async embedPassages(
    texts: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly TextVector[] | "refused"> {
    const input = texts.map((text) => this.#settings.passagePrefix + text);
    const vectors = await this.#ask(input, signal);
    return vectors === "refused" ? vectors : vectors.map(normalize);
  }

  /**
   * Resolves with the width of the vectors, and the length that the server gives them, usually 1.
   * @throws AppError as {@link embedQuestion}.
   */
  async describe(signal: AbortSignal): Promise<{ readonly width: number; readonly length: number }> {
    const vectors = await this.#ask(["text"], signal);
    if (vectors === "refused") throw this.#toRefusal("every text");
    const [vector = new Float32Array()] = vectors;
    return { width: vector.length, length: toLength(vector) };
  }

  /** Closes its connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** Resolves with the vectors as the server sends them. */
  async #ask(input: readonly string[], signal: AbortSignal): Promise<readonly Float32Array[] | "refused"> {
    const { statusCode, headers, body } = await this.#request(input, signal);
    const text = await readResponseText(body, maxResponseBytes).catch((cause: unknown) => {
      throw toFailure(cause instanceof Error ? cause.message : "the response ended early", cause);
    });
    if (refusals.includes(statusCode)) {
      this.#refusal = statusCode;
      return "refused";
    }
    if (statusCode !== 200) {
      const retryAfterMs = readRetryAfter(headers["retry-after"]);
      throw new AppError(
        "search_unavailable",
        `embeddings: status ${statusCode}${statusAdvice[statusCode] ?? ""}`,
        {
          retryAfterMs,
        },
      );
    }
    const vectors = readVectors(text, input.length);
    const width = vectors[0]?.length ?? 0;
    if (width === 0 || vectors.some(({ length }) => length !== width))
      throw toFailure("the vectors of one response have different widths, or none");
    this.#width = width;
    return vectors;
  }

  #toRefusal(texts: string): AppError {
    const advice =
      this.#refusal === 500 ? "check the server's log" : "check EMBEDDINGS_MODEL and EMBEDDINGS_DIMENSIONS";
    return toFailure(`the server refuses ${texts} (status ${this.#refusal}): ${advice}`);
  }

  async #request(input: readonly string[], signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { baseUrl, apiKey, model, dimensions } = this.#settings;
    const { url, authorization: basic } = takeCredentials(baseUrl);
    url.pathname = `${url.pathname.replace(/\/+$/, "")}/embeddings`;
    const authorization = apiKey === undefined ? basic : `Bearer ${apiKey}`;
    // Without `encoding_format`, which some servers refuse and others ignore.
    return await request(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(authorization !== undefined && { authorization }) },
      body: JSON.stringify({ model, input, dimensions }),
      signal,
      dispatcher: this.#agent,
    }).catch((cause: unknown) => {
      throw toFailure(cause instanceof Error ? cause.message : "no response", cause);
    });
  }
}

function toFailure(reason: string, cause?: unknown): AppError {
  return new AppError("search_unavailable", `embeddings: ${reason}`, { cause });
}

/** Returns the vectors of a response in the order of their texts. */
function readVectors(text: string, count: number): readonly Float32Array[] {
  const { data, error } = Response.safeParse(parseJson(text));
  if (error !== undefined) throw toFailure(`another form of response: ${error.issues[0]?.message ?? ""}`);
  const vectors = new Map(data.data.map(({ index, embedding }, place) => [index ?? place, embedding]));
  const ordered = Array.from({ length: count }, (_, index) => vectors.get(index));
  const found = ordered.filter((vector) => vector !== undefined);
  if (found.length !== count || data.data.length !== count)
    throw toFailure(`${data.data.length} vectors for ${count} texts, or their places are wrong`);
  return found;
}

/** Returns a vector of the same direction and of length 1; `undefined` if it has no direction. */
function normalize(vector: Float32Array): TextVector {
  const length = toLength(vector);
  return length > 0 && Number.isFinite(length) ? vector.map((value) => value / length) : undefined;
}

function toLength(vector: Float32Array): number {
  let square = 0;
  for (const value of vector) square += value * value;
  return Math.sqrt(square);
}

function readBase64(text: string): Float32Array {
  const bytes = Buffer.from(text, "base64");
  const vector = new Float32Array(Math.floor(bytes.length / numberBytes));
  for (let place = 0; place < vector.length; place += 1)
    vector[place] = bytes.readFloatLE(place * numberBytes);
  return vector;
}

/** Returns the wait that a header asks for in seconds, in milliseconds. */
function readRetryAfter(header: string | readonly string[] | undefined): number | undefined {
  const seconds = Number(typeof header === "string" && header !== "" ? header : NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}
