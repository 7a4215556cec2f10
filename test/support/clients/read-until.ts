/** Reads part of a response whose body is still open. */
import type { IncomingMessage } from "node:http";

/** Reads from the body until it has `text`; returns that part. */
export async function readUntil(response: IncomingMessage, text: string): Promise<string> {
  let seen = "";
  // Only once: it would forget the beginning of a character that was cut.
  if (response.readableEncoding === null) response.setEncoding("utf8");
  while (!seen.includes(text)) {
    const chunk: unknown = response.read();
    if (typeof chunk === "string") seen += chunk;
    else if (response.closed) throw new Error(`the body ended without ${JSON.stringify(text)}: ${seen}`);
    else await readableOrClosed(response);
  }
  return seen;
}

async function readableOrClosed(response: IncomingMessage): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.on("readable", resolve).on("close", resolve);
  await promise;
  response.off("readable", resolve).off("close", resolve);
}
