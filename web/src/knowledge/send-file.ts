/** Sends a file, and tells how much of it has been sent. */

/**
 * Sends a request like `fetch`, and calls `onProgress` with the part of its body that has been sent, from 0
 * to 1.
 * @throws TypeError if there is no response; the reason of the signal.
 */
export async function sendFile(
  input: RequestInfo | URL,
  init: RequestInit | undefined,
  onProgress: (share: number) => void,
): Promise<Response> {
  const { method = "POST", headers, body = null, signal } = init ?? {};
  const request = new XMLHttpRequest();
  request.open(method, input instanceof Request ? input.url : input);
  for (const [name, value] of new Headers(headers)) request.setRequestHeader(name, value);
  request.responseType = "blob";
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    if (total > 0) onProgress(loaded / total);
  });
  request.addEventListener("load", () => resolve(toResponse(request)));
  request.addEventListener("error", () => reject(new TypeError("the file could not be sent")));
  const abort = (): void => {
    request.abort();
    reject(signal?.reason);
  };
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted === true) abort();
  else request.send(body instanceof Blob ? body : null);
  return await promise.finally(() => signal?.removeEventListener("abort", abort));
}

function toResponse(request: XMLHttpRequest): Response {
  const headers = new Headers();
  for (const line of request.getAllResponseHeaders().trim().split(/\r?\n/)) {
    const at = line.indexOf(":");
    if (at > 0) headers.append(line.slice(0, at), line.slice(at + 1).trim());
  }
  const { status, response } = request;
  return new Response(response instanceof Blob && status !== 204 ? response : null, { status, headers });
}
