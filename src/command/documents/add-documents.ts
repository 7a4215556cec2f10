/** `foreword documents add`: sends files to a knowledge base, and waits until the server has read them. */
import { setTimeout } from "node:timers/promises";
import { toPrintable } from "../../observe/printable.ts";
import { explainFileError, findFiles, type FoundFile } from "./find-files.ts";
import { ServerProblem, type ServerClient, type ServerDocument } from "./server-client.ts";
import type { Terminal } from "../terminal.ts";

/** The dependencies of {@link addDocuments}. */
export interface AddOptions {
  readonly client: ServerClient;
  readonly terminal: Terminal;
  readonly isJson: boolean;
  /** Ends the waiting and sending; what the server has stays there. */
  readonly signal: AbortSignal;
}

/** What to add, and where. */
interface Wanted {
  readonly paths: readonly string[];
  readonly knowledgeBase: string;
  readonly waits: boolean;
}

/** How often a document's state is asked for, in milliseconds: the pause grows while nothing happens. */
const pollMs = { first: 250, most: 2_000 };

interface FileError {
  /** The server's code; `null` if it has none. */
  readonly code: string | null;
  readonly message: string;
}

/** Adds documents; resolves with the exit code. */
export async function addDocuments(wanted: Wanted, options: AddOptions): Promise<number> {
  return await new Addition(wanted, options).run();
}

/** Some files that are added. */
class Addition {
  readonly #wanted: Wanted;
  readonly #options: AddOptions;
  #failedCount = 0;
  /** The files that the server has stored, and how many of them need no more waiting. */
  readonly #stored: (readonly [FoundFile, ServerDocument])[] = [];
  #followedCount = 0;

  constructor(wanted: Wanted, options: AddOptions) {
    this.#wanted = wanted;
    this.#options = options;
  }

  async run(): Promise<number> {
    const { terminal, signal } = this.#options;
    const { paths, waits } = this.#wanted;
    const { files, problems, otherCount } = await findFiles(paths);
    for (const { path, message } of problems) await this.#fail(path, { code: null, message });
    if (otherCount > 0) await terminal.tell(`${toCount(otherCount, "file")} of other types left out.`);
    if (files.length === 0 && problems.length === 0) {
      await terminal.tell("There is no document in these folders.");
      return 1;
    }
    try {
      for (const [index, file] of files.entries()) await this.#send(file, index, files.length);
      if (waits)
        for (const [file, document] of this.#stored) {
          await this.#follow(file, document);
          this.#followedCount += 1;
        }
    } catch (error) {
      if (signal.aborted || this.#stored.length > 0) await this.#tellStopped(files.length);
      if (!signal.aborted) throw error;
      return 130;
    }
    await terminal.clear();
    return this.#failedCount === 0 ? 0 : 1;
  }

  /** @throws ServerProblem if the others would fail, too. */
  async #send(file: FoundFile, index: number, count: number): Promise<void> {
    const { client, terminal, signal } = this.#options;
    const label = `${index + 1}/${count} sending ${file.name}`;
    terminal.show(label, 0);
    try {
      const document = await client.add(this.#wanted.knowledgeBase, file, (bytes) =>
        terminal.show(label, bytes / file.sizeBytes),
      );
      this.#stored.push([file, document]);
      if (!this.#wanted.waits) await this.#tell(file, document);
    } catch (error) {
      if (signal.aborted || (error instanceof ServerProblem && error.isLasting)) throw error;
      const problem =
        error instanceof ServerProblem
          ? { code: error.code ?? null, message: error.message }
          : { code: null, message: explainFileError(error) };
      await this.#fail(file.path, problem);
    }
  }

  /** Waits until a document has been read, or cannot be. */
  async #follow(file: FoundFile, sent: ServerDocument): Promise<void> {
    const { client, terminal, signal } = this.#options;
    let document = sent;
    for (let waitMs = pollMs.first; document.state === "waiting";) {
      const { name, pages, pagesRead } = document;
      const label = `${this.#followedCount + 1}/${this.#stored.length} reading ${name}`;
      if (pages === null) terminal.show(`${label} …`);
      else terminal.show(`${label}, page ${pagesRead} of ${pages}`, pagesRead / Math.max(1, pages));
      await setTimeout(waitMs, undefined, { signal });
      const next = await client.get(document.id).catch((error: unknown) => {
        if (error instanceof ServerProblem && error.code === "document_not_found") return error;
        throw error;
      });
      if (next instanceof ServerProblem) {
        await this.#fail(file.path, { code: next.code ?? null, message: "It was deleted meanwhile." });
        return;
      }
      const hasMoved = next.pagesRead > document.pagesRead || next.passages > document.passages;
      waitMs = hasMoved ? pollMs.first : Math.min(waitMs * 1.5, pollMs.most);
      document = next;
    }
    await this.#tell(file, document);
  }

  async #tell({ path }: FoundFile, document: ServerDocument): Promise<void> {
    const { terminal, isJson } = this.#options;
    if (document.state === "failed") this.#failedCount += 1;
    if (isJson) await terminal.print(JSON.stringify({ file: path, error: document.error, document }));
    else await terminal.print(toLine(path, document));
  }

  async #fail(path: string, error: FileError): Promise<void> {
    const { terminal, isJson } = this.#options;
    this.#failedCount += 1;
    if (isJson) await terminal.print(JSON.stringify({ file: path, error, document: null }));
    else await terminal.print(toFailedLine(path, error));
  }

  /** Tells what the server has, with `--json` each stored document that has no line yet. */
  async #tellStopped(count: number): Promise<void> {
    const { terminal, isJson } = this.#options;
    const stored = this.#stored.length;
    if (isJson && this.#wanted.waits)
      for (const [file, document] of this.#stored.slice(this.#followedCount))
        await this.#tell(file, document);
    await terminal.tell(
      `Stopped. The server has ${stored} of ${toCount(count, "file")}, and goes on reading them. Run the same command again for the others: a document that is there is not stored twice.`,
    );
  }
}

function toLine(path: string, { state, error, id, pages, passages }: ServerDocument): string {
  if (error !== null) return toFailedLine(path, error);
  if (state === "waiting") return `stored  ${toPrintable(path)}  ${id}`;
  const counts = [...(pages === null ? [] : [toCount(pages, "page")]), toCount(passages, "passage")];
  return `read    ${toPrintable(path)}  ${counts.join(", ")}`;
}

function toFailedLine(path: string, { code, message }: FileError): string {
  return toPrintable(`failed  ${path}  ${code === null ? "" : `${code}: `}${message}`);
}

function toCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
