/** The settings of the embeddings. */
import { defaultEmbeddingsUrl, type EmbeddingSettings } from "../grounding/embeddings/settings.ts";
import type { Environment } from "./variables.ts";

/** Returns the settings of the embeddings; `undefined` if there are none. */
export function toEmbeddings(environment: Environment): EmbeddingSettings | undefined {
  const { EMBEDDINGS_MODEL: model, EMBEDDINGS_BASE_URL: baseUrl = defaultEmbeddingsUrl } = environment;
  if (model === undefined) return undefined;
  return {
    baseUrl: new URL(baseUrl),
    apiKey: environment.EMBEDDINGS_API_KEY,
    model,
    dimensions: environment.EMBEDDINGS_DIMENSIONS,
    queryPrefix: environment.EMBEDDINGS_QUERY_PREFIX,
    passagePrefix: environment.EMBEDDINGS_PASSAGE_PREFIX,
  };
}
