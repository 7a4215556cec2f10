/** The settings of the embeddings. */

/** Which model computes the vectors of passages and questions. */
export interface EmbeddingSettings {
  /** The root of an API like OpenAI's, such as `https://api.openai.com/v1`. */
  readonly baseUrl: URL;
  readonly apiKey: string | undefined;
  readonly model: string;
  /** The width to ask for; `undefined` for the model's own, as not all models can be asked. */
  readonly dimensions: number | undefined;
  /** What some models need in front of a question, and of a passage, such as `query: `. */
  readonly queryPrefix: string;
  readonly passagePrefix: string;
}

/** The address that a key alone is for. */
export const defaultEmbeddingsUrl = "https://api.openai.com/v1";
