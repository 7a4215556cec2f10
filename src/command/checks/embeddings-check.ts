/** Embeds a word, and shows how to fix a problem. */
import type { AppOptions } from "../../app.ts";
import { toAppError } from "../../base/errors.ts";
import { EmbeddingServer } from "../../grounding/embeddings/embedding-server.ts";
import type { Finding } from "../finding.ts";

const subject = "embeddings";
/** How long the server may take, in milliseconds: some load the model first. */
const timeoutMs = 60_000;
/** How long a question's vector may take without being too late for its turn, in milliseconds. */
const usefulMs = 1_000;

/** Checks the server of embeddings. Never rejects. */
export async function checkEmbeddings(settings: AppOptions["embeddings"]): Promise<readonly Finding[]> {
  if (settings === undefined) return [];
  const server = new EmbeddingServer(settings);
  try {
    await server.describe(AbortSignal.timeout(timeoutMs));
    const startMs = performance.now();
    const { width, length } = await server.describe(AbortSignal.timeout(timeoutMs));
    const ms = Math.round(performance.now() - startMs);
    const text = `${settings.model}: ${width} dimensions, length ${length.toFixed(2)}, ${ms} ms`;
    if (ms <= usefulMs && length > 0) return [{ subject, isWell: true, text }];
    const fix =
      length > 0
        ? "questions do not wait that long, and are answered by words alone: use a faster server or model"
        : "all vectors are zero: check that the server has loaded an embedding model";
    return [{ subject, isWell: length > 0, isWarning: length > 0, text, fix }];
  } catch (error) {
    const { code, message } = toAppError(error);
    const fix = "check EMBEDDINGS_BASE_URL, and that the server is running";
    const advice = /: (check .*)$/.exec(message);
    const text = `${code}: ${advice === null ? message : message.slice(0, advice.index)}`;
    return [{ subject, isWell: false, text, fix: advice?.[1] ?? fix }];
  } finally {
    await server.close();
  }
}
