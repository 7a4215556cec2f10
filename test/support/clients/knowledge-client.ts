/** A client of knowledge bases, as one user. */
import assert from "node:assert/strict";
import { z } from "zod";
import type { AppResponse, RunningApp } from "../apps/start-app.ts";
import { readResponse } from "../apps/start-app.ts";

const Document = z.object({
  id: z.string(),
  knowledgeBase: z.string(),
  name: z.string(),
  type: z.string(),
  sizeBytes: z.number(),
  state: z.enum(["waiting", "ready", "failed"]),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  pagesRead: z.number(),
  pages: z.number().nullable(),
  passages: z.number(),
  embedded: z.number().nullable(),
});
/** A document as its client reads it. */
export type ClientDocument = z.output<typeof Document>;
const DocumentPage = z.object({ documents: z.array(Document), nextCursor: z.string().nullable() });
const DocumentText = z.object({
  passages: z.array(
    z.object({ page: z.number().nullable(), heading: z.string().nullable(), text: z.string() }),
  ),
  next: z.number().nullable(),
});

/** A client of one user. */
export class KnowledgeClient {
  readonly #app: RunningApp;
  readonly userId: string;

  constructor(app: RunningApp, userId: string) {
    this.#app = app;
    this.userId = userId;
  }

  /** Sends a document; resolves with whatever is the response. */
  async send(
    base: string,
    bytes: string | Buffer,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<AppResponse> {
    const path = this.#toPath(`/knowledge-bases/${encodeURIComponent(base)}/documents`);
    return await readResponse(await this.#app.open("POST", path, bytes, { "content-type": "", ...headers }));
  }

  /** Adds a document. */
  async add(base: string, bytes: string | Buffer, name = "notes.txt"): Promise<ClientDocument> {
    const disposition = `attachment; filename*=UTF-8''${encodeURIComponent(name)}`;
    const response = await this.send(base, bytes, { "content-disposition": disposition });
    assert.equal(response.status, 202, response.body);
    const document = Document.parse(JSON.parse(response.body));
    assert.equal(response.headers.location, `/documents/${document.id}`);
    return document;
  }

  /** Adds a document, and resolves with it once it has been read, or has failed. */
  async addRead(base: string, bytes: string | Buffer, name?: string): Promise<ClientDocument> {
    return await this.untilRead((await this.add(base, bytes, name)).id);
  }

  async untilRead(id: string): Promise<ClientDocument> {
    for (;;) {
      const document = await this.get(id);
      if (document.state !== "waiting") return document;
    }
  }

  /** Resolves with a document once all its passages have a vector. */
  async untilEmbedded(id: string): Promise<ClientDocument> {
    for (;;) {
      const document = await this.get(id);
      if (document.state === "ready" && document.embedded === document.passages) return document;
    }
  }

  async get(id: string): Promise<ClientDocument> {
    const response = await this.ask("GET", `/documents/${id}`);
    assert.equal(response.status, 200, response.body);
    return Document.parse(JSON.parse(response.body));
  }

  async list(base: string, query = ""): Promise<z.output<typeof DocumentPage>> {
    const response = await this.ask("GET", `/knowledge-bases/${encodeURIComponent(base)}/documents`, query);
    assert.equal(response.status, 200, response.body);
    return DocumentPage.parse(JSON.parse(response.body));
  }

  /** Resolves with the whole text, or that of a page, with the number of requests it took. */
  async read(id: string, page?: number): Promise<{ readonly text: string; readonly parts: number }> {
    let text = "";
    for (let parts = 1, first = 0; ; parts += 1) {
      const query = `first=${first}${page === undefined ? "" : `&page=${page}`}`;
      const { body } = await this.ask("GET", `/documents/${id}/text`, query);
      const { passages, next } = DocumentText.parse(JSON.parse(body));
      text += passages.map((passage) => passage.text).join("");
      if (next === null) return { text, parts };
      first = next;
    }
  }

  async ask(method: string, path: string, query = ""): Promise<AppResponse> {
    return await this.#app.get(this.#toPath(path, query), {}, method);
  }

  #toPath(path: string, query = ""): string {
    return `${path}?userId=${this.userId}${query === "" ? "" : `&${query}`}`;
  }
}
