/** The ids of documents: the same document in the same knowledge base has one, however often it is sent. */
import { hash } from "node:crypto";

/**
 * Returns the id of a user's document in a knowledge base.
 * @param digest SHA-256 of its bytes.
 */
export function toDocumentId(userId: string | undefined, knowledgeBase: string, digest: string): string {
  const id = hash("sha256", `foreword document\n${userId ?? ""}\n${digest}\n${knowledgeBase}`);
  // A UUID of version 8, which no client library makes.
  return `${id.slice(0, 8)}-${id.slice(8, 12)}-8${id.slice(13, 16)}-8${id.slice(17, 20)}-${id.slice(20, 32)}`;
}
