/** Embeds texts however many, and however long ones, a server takes at once. */
import { AppError } from "../../base/errors.ts";
import type { EmbeddingServer, TextVector } from "../../grounding/embeddings/embedding-server.ts";

/** How many texts a server is asked for at once, unless it refuses so many. */
const maxTexts = 32;
/** How long a server may take for one request, in milliseconds. */
const requestMs = 60_000;
/** A text of this length is never too long, in UTF-16 units. */
const minCharacters = 200;

/** Embeds the texts of passages. */
export class TextEmbedding {
  readonly #server: EmbeddingServer;
  #maxTexts = maxTexts;
  #refusals = 0;

  constructor(server: EmbeddingServer) {
    this.#server = server;
  }

  /** How many texts the server takes at once, as far as it is known. */
  get maxTexts(): number {
    return this.#maxTexts;
  }

  /** Embeds a plain text. @throws AppError `search_unavailable` if the server does not. */
  async probe(signal: AbortSignal): Promise<void> {
    const { length } = await this.#server.describe(within(signal));
    if (length === 0) throw new AppError("search_unavailable", "embeddings: all vectors are zero");
  }

  /**
   * Resolves with the vectors of `texts`, in their order. One that is too long has the vector of its first
   * part, and one that the server refuses at any length has none.
   * @throws AppError `search_unavailable`.
   */
  async embed(texts: readonly string[], signal: AbortSignal): Promise<readonly TextVector[]> {
    if (texts.length === 0) return [];
    const vectors = await this.#ask(texts, signal);
    if (vectors === "refused" && texts.length > 1) return await this.#embedHalves(texts, signal);
    const found: TextVector[] = [];
    for (const [index, text] of texts.entries()) {
      const vector = vectors === "refused" ? undefined : vectors[index];
      found.push(vector ?? (await this.#embedPart(text, signal)));
    }
    return found;
  }

  async #embedHalves(texts: readonly string[], signal: AbortSignal): Promise<readonly TextVector[]> {
    const half = Math.ceil(texts.length / 2);
    const refusals = this.#refusals;
    const first = await this.embed(texts.slice(0, half), signal);
    const second = await this.embed(texts.slice(half), signal);
    // They were too many: otherwise one of them would have been refused again.
    if (this.#refusals === refusals) this.#maxTexts = Math.min(this.#maxTexts, half);
    return [...first, ...second];
  }

  /** Resolves with the vector of the first part of a text that was not taken whole. */
  async #embedPart(text: string, signal: AbortSignal): Promise<TextVector> {
    for (let length = text.length; length > minCharacters;) {
      length = Math.max(minCharacters, Math.floor(length / 2));
      const vectors = await this.#ask([text.slice(0, length).toWellFormed()], signal);
      const vector = vectors === "refused" ? undefined : vectors[0];
      if (vector !== undefined) return vector;
    }
    // Is it this text, or does the server refuse every one?
    await this.probe(signal);
    return undefined;
  }

  async #ask(texts: readonly string[], signal: AbortSignal): Promise<readonly TextVector[] | "refused"> {
    const vectors = await this.#server.embedPassages(texts, within(signal));
    if (vectors === "refused") this.#refusals += 1;
    return vectors;
  }
}

function within(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(requestMs)]);
}
