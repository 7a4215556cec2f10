/** Reads pages on the web: from public addresses only, within limits of size and time. */
import { fetch, type Agent, type Response } from "undici";
import type { Clock } from "../../base/clock.ts";
import { AppError } from "../../base/errors.ts";
import { mebibyte } from "../../base/sizes.ts";
import { readDocument, type ReadDocument } from "../documents/read-document.ts";
import { createPublicAgent } from "./public-connector.ts";
import { RecentResults } from "./recent-results.ts";

/** A page that was read. */
export interface ReadPage {
  /** Its address after all redirects. */
  readonly url: string;
  readonly text: string;
}

/** How much of a page is read, in bytes after decompression. A longer PDF is not read at all. */
const maxHtmlBytes = mebibyte;
const maxPdfBytes = 5 * mebibyte;
const maxRedirects = 5;
const maxTextCharacters = 100_000;
const userAgent = "Foreword";
const readLimits = { maxPages: 30, maxCharacters: 2_000_000, maxSeconds: 5, maxMemoryMib: 512 };

/** Reads pages, and remembers them for some minutes. */
export class PageReader {
  readonly #agent: Agent;
  readonly #allowedHosts: ReadonlySet<string>;
  readonly #pages: RecentResults<ReadPage>;
  readonly #readDocument: ReadDocument;

  /** @param allowedHosts as in `WebSearchSettings`. */
  constructor(allowedHosts: readonly string[], clock: Clock, read: ReadDocument = readDocument) {
    this.#readDocument = read;
    this.#pages = new RecentResults(clock);
    this.#allowedHosts = new Set(allowedHosts);
    this.#agent = createPublicAgent((hostname, port) => this.#isAllowed(hostname, port));
  }

  /** Resolves with the text of a page. @throws AppError `search_unavailable`, or a code of documents. */
  async read(url: string, signal: AbortSignal): Promise<ReadPage> {
    return await this.#pages.get(url, async () => await this.#fetch(url, signal));
  }

  /** Closes its connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #fetch(address: string, signal: AbortSignal): Promise<ReadPage> {
    let url = new URL(address);
    for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
      this.#check(url);
      const response = await fetch(url.href, {
        dispatcher: this.#agent,
        redirect: "manual",
        headers: { "user-agent": userAgent, accept: "text/html, text/plain, application/pdf;q=0.8" },
        signal,
      });
      const location = response.headers.get("location");
      if (response.status >= 300 && response.status < 400 && location !== null) {
        await response.body?.cancel();
        const next = URL.parse(location, url.href);
        if (next === null) throw refusePage(url, "redirects to no address");
        url = next;
        continue;
      }
      if (!response.ok) {
        await response.body?.cancel();
        throw refusePage(url, `status ${response.status}`);
      }
      return { url: url.href, text: await readBody(response, url, signal, this.#readDocument) };
    }
    throw refusePage(url, `redirects more than ${maxRedirects} times`);
  }

  #check(url: URL): void {
    if (url.protocol !== "http:" && url.protocol !== "https:") throw refusePage(url, "is not http");
    if (url.username !== "" || url.password !== "") throw refusePage(url, "holds credentials");
    if (url.port !== "" && !this.#isAllowed(url.hostname, url.port))
      throw refusePage(url, "has an unusual port");
  }

  #isAllowed(hostname: string, port: string): boolean {
    return this.#allowedHosts.has(hostname) || this.#allowedHosts.has(`${hostname}:${port}`);
  }
}

function refusePage({ hostname }: URL, reason: string): AppError {
  return new AppError("search_unavailable", `a page on ${hostname} ${reason}`);
}

async function readBody(
  response: Response,
  url: URL,
  signal: AbortSignal,
  read: ReadDocument,
): Promise<string> {
  const type = response.headers.get("content-type") ?? "text/html";
  const [mediaType = ""] = type.split(";");
  const isPdf = mediaType.trim() === "application/pdf";
  if (!isPdf && !/^(?:text\/(?:html|plain)|application\/xhtml\+xml)$/.test(mediaType.trim().toLowerCase())) {
    await response.body?.cancel();
    throw refusePage(url, `is ${mediaType}`);
  }
  const { bytes, isCut } = await readBytes(response, isPdf ? maxPdfBytes : maxHtmlBytes);
  if (isPdf && isCut) throw refusePage(url, "is too large a PDF");
  const encoding = /charset\s*=\s*"?([\w-]+)/i.exec(type)?.[1];
  const source = { bytes, mediaType, encoding, isWebPage: true };
  let text = "";
  for await (const page of read(source, readLimits, signal)) {
    text += page.text;
    if (text.length > maxTextCharacters) break;
  }
  return text.slice(0, maxTextCharacters).toWellFormed();
}

/** Reads a body up to `maxBytes`, counted after its decompression. */
async function readBytes(
  response: Response,
  maxBytes: number,
): Promise<{ readonly bytes: Buffer; readonly isCut: boolean }> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    pieces.push(piece);
    length += piece.length;
    if (length > maxBytes) break;
  }
  return { bytes: Buffer.concat(pieces).subarray(0, maxBytes), isCut: length > maxBytes };
}
