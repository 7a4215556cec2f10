/** The bodies of responses that servers of other programs send. */
import { Buffer } from "node:buffer";

/** Resolves with a body as text. Rejects as the body does, and if it has more than `maxBytes`. */
export async function readResponseText(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > maxBytes) throw new Error("the response is too large");
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}
