/** Sends one plain request to a model server, with the same URL, headers and key as turns. */
import { request } from "undici";
import { createClient, hasCredentials } from "./openai-server.ts";
import type { OpenAiOptions } from "./settings.ts";

const timeoutMs = 10_000;
/** How much of a response is read, in characters. */
const maxBodyLength = 1024 * 1024;

/** A server's response. */
export interface ProbeResponse {
  readonly status: number;
  readonly body: string;
}

/**
 * Resolves with the response to a request for `path` below the API's root. Rejects if none comes within 10 s.
 */
export async function probeServer(
  options: OpenAiOptions,
  path: string,
  body?: object,
): Promise<ProbeResponse> {
  const method = body === undefined ? "get" : "post";
  const { req, url } = await createClient(options).buildRequest({ method, path, ...(body && { body }) });
  const headers = new Headers(req.headers);
  if (!hasCredentials(options)) headers.delete("authorization");
  const response = await request(url, {
    method: body === undefined ? "GET" : "POST",
    headers: Object.fromEntries(headers),
    body: typeof req.body === "string" ? req.body : null,
    signal: AbortSignal.timeout(timeoutMs),
  });
  return { status: response.statusCode, body: (await response.body.text()).slice(0, maxBodyLength) };
}
