/** Asks a server about documents, over HTTP, as one client. */
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { request as requestHttp, type ClientRequest, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { text as readText } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import type { FoundFile } from "./find-files.ts";

/** A server, and who asks it. */
export interface ServerAddress {
  readonly url: URL;
  readonly token: string | undefined;
  readonly userId: string | undefined;
}

/** A request that a server refused, or that did not reach one. */
export class ServerProblem extends Error {
  override readonly name = "ServerProblem";
  /** The server's code; `undefined` if no server of ours responded. */
  readonly code: string | undefined;
  /** Whether other requests would fail for the same reason. */
  readonly isLasting: boolean;

  constructor(message: string, code: string | undefined, isLasting: boolean) {
    super(message);
    this.code = code;
    this.isLasting = isLasting;
  }
}

const text = z.string();
const count = z.number();

/** Fields that are not needed here are kept, to be printed as JSON. */
const Document = z.looseObject({
  id: text,
  name: text,
  state: text,
  pagesRead: count,
  pages: count.nullable(),
  passages: count,
  error: z.object({ code: text, message: text }).nullable(),
});
/** A document of the server. */
export type ServerDocument = z.output<typeof Document>;

const KnowledgeBase = z.looseObject({
  name: text,
  documents: count,
  waiting: count,
  failed: count,
  passages: count,
});
/** A knowledge base of the server. */
export type ServerKnowledgeBase = z.output<typeof KnowledgeBase>;

const DocumentPage = z.object({ documents: z.array(Document), nextCursor: text.nullable() });
const KnowledgeBases = z.object({ knowledgeBases: z.array(KnowledgeBase) });
const DocumentText = z.object({
  passages: z.array(z.looseObject({ text })),
  next: count.nullable(),
});
/** A passage of a document's text. */
export type ServerPassage = z.output<typeof DocumentText>["passages"][number];

const Problem = z.object({ code: text, detail: text });

/** How long a server may be silent, in milliseconds. */
const silenceMs = 120_000;
/** How often a request is sent to a server that is busy, or has had too many of them. */
const maxAttempts = 8;
const defaultRetrySeconds = 5;
/**
 * How long a request that only reads is sent again to a server that responded before and is away now, and the
 * pauses in between, in milliseconds.
 */
const away = { longestMs: 60_000, firstPauseMs: 250, longestPauseMs: 5_000 };
const pageLimit = 100;
/** Statuses by which a proxy says that it does not reach the server. */
const awayStatuses: ReadonlySet<number> = new Set([502, 504]);
/** Statuses that have nothing to do with the document of a request. */
const lastingStatuses: ReadonlySet<number> = new Set([401, 403, 405]);

interface Sent {
  readonly method: "GET" | "POST" | "DELETE";
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly file?: FoundFile;
  /** Told how many bytes of the file have been sent. */
  readonly onSent?: (bytes: number) => void;
}

interface ReadResponse {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Requests of one client. All reject with a {@link ServerProblem}, or as the signal says. */
export class ServerClient {
  readonly #address: ServerAddress;
  readonly #signal: AbortSignal;
  /** Whether a server has responded: what cannot be reached later may only be away for a while. */
  #hasResponded = false;

  constructor(address: ServerAddress, signal: AbortSignal) {
    this.#address = address;
    this.#signal = signal;
  }

  /** Sends a file; resolves with its document. Rejects with another error if it cannot be read. */
  async add(
    knowledgeBase: string,
    file: FoundFile,
    onSent: (bytes: number) => void,
  ): Promise<ServerDocument> {
    const path = `knowledge-bases/${encodeURIComponent(knowledgeBase)}/documents`;
    const headers = {
      "content-type": "application/octet-stream",
      "content-length": String(file.sizeBytes),
      "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(file.name.toWellFormed())}`,
    };
    return await this.#ask(path, { method: "POST", headers, file, onSent }, Document);
  }

  async get(id: string): Promise<ServerDocument> {
    return await this.#ask(toDocumentPath(id), { method: "GET" }, Document);
  }

  async *list(knowledgeBase: string): AsyncGenerator<ServerDocument> {
    const path = `knowledge-bases/${encodeURIComponent(knowledgeBase)}/documents`;
    for (let cursor: string | null | undefined; cursor !== null;) {
      const query = { limit: String(pageLimit), ...(cursor !== undefined && { cursor }) };
      const page = await this.#ask(path, { method: "GET", query }, DocumentPage);
      yield* page.documents;
      cursor = page.nextCursor;
    }
  }

  async listBases(): Promise<readonly ServerKnowledgeBase[]> {
    return (await this.#ask("knowledge-bases", { method: "GET" }, KnowledgeBases)).knowledgeBases;
  }

  async *read(id: string, page: string | undefined): AsyncGenerator<ServerPassage> {
    for (let first: number | null = 0; first !== null;) {
      const query = { first: String(first), ...(page !== undefined && { page }) };
      const sent: Sent = { method: "GET", query };
      const part: z.output<typeof DocumentText> = await this.#ask(
        `${toDocumentPath(id)}/text`,
        sent,
        DocumentText,
      );
      yield* part.passages;
      first = part.next;
    }
  }

  async delete(id: string): Promise<void> {
    await this.#ask(toDocumentPath(id), { method: "DELETE" }, z.unknown());
  }

  async deleteBase(name: string): Promise<void> {
    await this.#ask(`knowledge-bases/${encodeURIComponent(name)}`, { method: "DELETE" }, z.unknown());
  }

  async #ask<Schema extends z.ZodType>(path: string, sent: Sent, schema: Schema): Promise<z.output<Schema>> {
    for (let attempt = 1; ; attempt += 1) {
      const response = await this.#sendUntilReached(path, sent);
      const { status, headers, body } = response;
      if (status >= 200 && status < 300) {
        const read = schema.safeParse(status === 204 ? undefined : parseJson(body));
        if (read.success) return read.data;
        throw new ServerProblem(this.#notOurs(status), undefined, true);
      }
      if ((status !== 429 && status !== 503) || attempt === maxAttempts) throw this.#toProblem(response);
      const seconds = Number(headers["retry-after"] ?? defaultRetrySeconds);
      await setTimeout(1000 * (Number.isFinite(seconds) ? seconds : defaultRetrySeconds), undefined, {
        signal: this.#signal,
      });
    }
  }

  async #sendUntilReached(path: string, sent: Sent): Promise<ReadResponse> {
    const startMs = performance.now();
    const mayBeBack = (): boolean =>
      sent.method === "GET" && this.#hasResponded && performance.now() - startMs < away.longestMs;
    for (let pauseMs = away.firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, away.longestPauseMs)) {
      try {
        const response = await this.#send(path, sent);
        if (!awayStatuses.has(response.status) || !mayBeBack()) {
          this.#hasResponded = true;
          return response;
        }
      } catch (error) {
        if (!mayBeBack() || !(error instanceof ServerProblem)) throw error;
      }
      await setTimeout(pauseMs, undefined, { signal: this.#signal });
    }
  }

  async #send(path: string, { method, query, headers, file, onSent }: Sent): Promise<ReadResponse> {
    const { url: base, token, userId } = this.#address;
    const url = new URL(base);
    url.pathname = `${url.pathname.replace(/\/+$/, "")}/${path}`;
    url.search = new URLSearchParams({ ...query, ...(userId !== undefined && { userId }) }).toString();
    const { promise, resolve, reject } = Promise.withResolvers<ReadResponse>();
    const request = (url.protocol === "https:" ? requestHttps : requestHttp)(url, {
      method,
      headers: {
        accept: "application/json",
        ...headers,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      signal: this.#signal,
      timeout: silenceMs,
    });
    request.once("timeout", () => request.destroy(new Error(`no response within ${silenceMs / 1000} s`)));
    const fail = (error: Error): void => reject(this.#signal.aborted ? error : this.#toUnreachable(error));
    request.on("error", fail);
    request.once("response", (response) => {
      const { statusCode: status = 0 } = response;
      readText(response).then((body) => {
        resolve({ status, headers: response.headers, body });
        // The rest of a file that is refused is not sent.
        if (status >= 300) request.destroy();
      }, fail);
    });
    if (file === undefined || file.sizeBytes === 0) request.end();
    else sendFile(file, request, onSent).catch(reject);
    return await promise;
  }

  #toProblem({ status, headers, body }: ReadResponse): ServerProblem {
    const problem = Problem.safeParse(parseJson(body)).data;
    const isLasting = lastingStatuses.has(status);
    if (problem !== undefined) return new ServerProblem(problem.detail, problem.code, isLasting);
    const { location } = headers;
    if (status >= 300 && status < 400 && location !== undefined)
      return new ServerProblem(`The server redirects to ${location}: set --url to it.`, undefined, true);
    if (status === 413)
      return new ServerProblem("A proxy before the server refuses files of this size.", undefined, false);
    return new ServerProblem(this.#notOurs(status), undefined, true);
  }

  #notOurs(status: number): string {
    return `${this.#address.url.href} responds with status ${status}, not as a Foreword server: check --url.`;
  }

  #toUnreachable(error: Error): ServerProblem {
    const causes = error instanceof AggregateError ? error.errors : [error];
    const reason = causes.map((cause) => (cause instanceof Error ? cause.message : String(cause))).join(", ");
    const message = `The server at ${this.#address.url.href} cannot be reached (${reason}): start it, or set --url.`;
    return new ServerProblem(message, undefined, true);
  }
}

/** Sends as many bytes of a file as were announced. Rejects if it cannot be read, or has become shorter. */
async function sendFile(
  { path, sizeBytes }: FoundFile,
  request: ClientRequest,
  onSent: (bytes: number) => void = () => {},
): Promise<void> {
  const bytes = createReadStream(path, { end: sizeBytes - 1 });
  request.once("close", () => bytes.destroy());
  let sentBytes = 0;
  try {
    for await (const chunk of bytes) {
      if (!request.write(chunk)) await once(request, "drain");
      onSent((sentBytes += chunk.length));
    }
    if (sentBytes < sizeBytes) throw new Error("it became shorter while it was read");
    request.end();
  } catch (error) {
    if (request.destroyed) return;
    request.destroy();
    throw error;
  }
}

function toDocumentPath(id: string): string {
  return `documents/${encodeURIComponent(id)}`;
}
