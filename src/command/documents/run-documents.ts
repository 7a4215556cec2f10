/** `foreword documents`: works with the documents of a user on a running server. */
import { toPrintable, toPrintableLines } from "../../observe/printable.ts";
import { addDocuments } from "./add-documents.ts";
import type { ClientOptions, DocumentsCommand } from "./arguments.ts";
import { ServerClient, ServerProblem, type ServerDocument } from "./server-client.ts";
import { Terminal } from "../terminal.ts";

/** What the environment says of a server and its client. */
export interface ClientVariables {
  readonly url: string | undefined;
  readonly token: string | undefined;
  readonly userId: string | undefined;
  /** Where a server of this machine listens. */
  readonly port: string | undefined;
}

const defaultPort = "8000";

interface Running {
  readonly client: ServerClient;
  readonly terminal: Terminal;
  readonly isJson: boolean;
  readonly signal: AbortSignal;
}

/** Runs a command; resolves with the exit code. */
export async function runDocuments(
  command: DocumentsCommand,
  options: ClientOptions,
  variables: ClientVariables,
): Promise<number> {
  const stopping = new AbortController();
  // The second one ends the process at once.
  process.once("SIGINT", () => stopping.abort());
  // A reader that wants no more, like `head`.
  process.stdout.once("error", () => process.exit(1));
  const terminal = new Terminal(process.stdout, process.stderr);
  const address = options.url ?? variables.url ?? `http://127.0.0.1:${variables.port ?? defaultPort}`;
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    await terminal.tell(`foreword: ${address} is no URL of a server: it must start with http:// or https://`);
    return 2;
  }
  const token = options.token ?? variables.token;
  const userId = options.userId ?? variables.userId;
  const { signal } = stopping;
  const client = new ServerClient({ url, token, userId }, signal);
  try {
    return await run(command, { client, terminal, isJson: options.isJson, signal });
  } catch (error) {
    await terminal.clear();
    if (signal.aborted) return 130;
    if (!(error instanceof ServerProblem)) throw error;
    await terminal.tell(`foreword: ${error.code === undefined ? "" : `${error.code}: `}${error.message}`);
    return 1;
  }
}

async function run(command: DocumentsCommand, running: Running): Promise<number> {
  const { client, terminal, isJson } = running;
  switch (command.type) {
    case "add":
      return await addDocuments(command, running);
    case "list":
      if (command.knowledgeBase === undefined) await listBases(running);
      else await listDocuments(command.knowledgeBase, running);
      return 0;
    case "text":
      for await (const passage of client.read(command.id, command.page))
        await terminal.print(isJson ? JSON.stringify(passage) : toPrintableLines(passage.text));
      return 0;
    case "delete":
      return await deleteDocuments(command.ids, running);
    case "delete-all":
      await client.deleteBase(command.knowledgeBase);
      await terminal.print(
        isJson
          ? JSON.stringify({ knowledgeBase: command.knowledgeBase, deleted: true })
          : toPrintable(`deleted ${command.knowledgeBase}`),
      );
      return 0;
  }
}

async function listBases({ client, terminal, isJson }: Running): Promise<void> {
  for (const base of await client.listBases()) {
    const { name, documents, waiting, failed, passages } = base;
    const line = `${name}  ${documents} documents, ${waiting} to be read, ${failed} failed, ${passages} passages`;
    await terminal.print(isJson ? JSON.stringify(base) : toPrintable(line));
  }
}

async function listDocuments(knowledgeBase: string, { client, terminal, isJson }: Running): Promise<void> {
  for await (const document of client.list(knowledgeBase))
    await terminal.print(isJson ? JSON.stringify(document) : toPrintable(toLine(document)));
}

function toLine({ id, name, state, pages, passages, error }: ServerDocument): string {
  const counts = `${pages === null ? "" : `${pages} pages, `}${passages} passages`;
  return `${id}  ${state.padEnd(7)}  ${name}  ${error === null ? counts : `${error.code}: ${error.message}`}`;
}

/** Deletes documents; one that is not there does not keep the others. */
async function deleteDocuments(
  ids: readonly string[],
  { client, terminal, isJson }: Running,
): Promise<number> {
  let code = 0;
  for (const id of ids) {
    const problem = await client.delete(id).then(
      () => undefined,
      (error: unknown) => {
        if (error instanceof ServerProblem && !error.isLasting) return error;
        throw error;
      },
    );
    if (problem !== undefined) code = 1;
    const error = problem && { code: problem.code ?? null, message: problem.message };
    await terminal.print(
      isJson
        ? JSON.stringify({ id, deleted: error === undefined, error: error ?? null })
        : toPrintable(
            error === undefined ? `deleted ${id}` : `failed  ${id}  ${error.code}: ${error.message}`,
          ),
    );
  }
  return code;
}
