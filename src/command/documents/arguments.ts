/** Parses the arguments of `foreword documents`. */
import { parseArgs } from "node:util";

/** What a command does. */
export type DocumentsCommand =
  | {
      readonly type: "add";
      /** Files, and folders of files. */
      readonly paths: readonly string[];
      readonly knowledgeBase: string;
      /** Whether to wait until the server has read them. */
      readonly waits: boolean;
    }
  /** Without a knowledge base: lists the knowledge bases. */
  | { readonly type: "list"; readonly knowledgeBase: string | undefined }
  | { readonly type: "text"; readonly id: string; readonly page: string | undefined }
  | { readonly type: "delete"; readonly ids: readonly string[] }
  | { readonly type: "delete-all"; readonly knowledgeBase: string };

/** Options that all commands have; those that are not given come from the environment. */
export interface ClientOptions {
  readonly url: string | undefined;
  readonly token: string | undefined;
  readonly userId: string | undefined;
  /** Whether to print JSON. */
  readonly isJson: boolean;
}

/** The parsed arguments; `wrong` holds a sentence that tells the user how to correct them. */
export type DocumentsArguments =
  | { readonly type: "run"; readonly command: DocumentsCommand; readonly options: ClientOptions }
  | { readonly type: "help" }
  | { readonly type: "wrong"; readonly text: string };

/** The text of `foreword documents --help`. */
export const documentsHelp = `Usage: foreword documents add FILE… --knowledge-base NAME
       foreword documents list [--knowledge-base NAME]
       foreword documents text ID [--page NUMBER]
       foreword documents delete ID…
       foreword documents delete --knowledge-base NAME --all

Works with the documents of a user on a running server, over HTTP.

Commands:
  add       send files, and the documents in folders, and wait until the server has read them
  list      list the documents of a knowledge base, or all knowledge bases
  text      print the text that was read from a document
  delete    delete documents, or a whole knowledge base

Options:
  -k, --knowledge-base NAME
                    the knowledge base; add creates it if need be
  --no-wait         add: end once the files are stored; the server reads them in the background
  --page NUMBER     text: only this page
  --all             delete: the knowledge base with all its documents
  --json            print one JSON object a line
  --url URL         the server; default: FOREWORD_URL, or else this machine's PORT (8000)
  --token TOKEN     the user's access token, or an API key; default: FOREWORD_TOKEN, which hides it from
                    other users of this machine
  --user-id UUID    the user, on servers that do not know it by a token; default: FOREWORD_USER_ID
  -h, --help        show this help

The exit code is 0 if all went well, 1 if anything failed, 2 if the arguments are wrong, and 130 after Ctrl-C.
`;

const optionTypes = {
  "knowledge-base": { type: "string", short: "k" },
  "no-wait": { type: "boolean", default: false },
  page: { type: "string" },
  all: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  url: { type: "string" },
  token: { type: "string" },
  "user-id": { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Returns the parsed `args`, those after `documents`. */
export function parseDocumentsArguments(args: readonly string[]): DocumentsArguments {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: optionTypes,
      allowPositionals: true,
    });
    const [name, ...words] = positionals;
    if (values.help || name === undefined || name === "help") return { type: "help" };
    const command = toCommand(name, words, values);
    if (typeof command === "string") return { type: "wrong", text: command };
    const { url, token, "user-id": userId, json: isJson } = values;
    return { type: "run", command, options: { url, token, userId, isJson } };
  } catch (error) {
    return { type: "wrong", text: error instanceof Error ? error.message : String(error) };
  }
}

interface Values {
  readonly "knowledge-base"?: string | undefined;
  readonly "no-wait": boolean;
  readonly page?: string | undefined;
  readonly all: boolean;
}

/** Returns the command, or a sentence that says what is wrong. */
function toCommand(name: string, words: readonly string[], values: Values): DocumentsCommand | string {
  const { "knowledge-base": knowledgeBase, page, all } = values;
  switch (name) {
    case "add":
      if (words.length === 0)
        return "add needs files or folders, like: documents add handbook.pdf -k handbook";
      if (knowledgeBase === undefined) return "add needs --knowledge-base NAME";
      return { type: "add", paths: words, knowledgeBase, waits: !values["no-wait"] };
    case "list":
      if (words.length > 0) return "list takes no file; name a knowledge base with --knowledge-base NAME";
      return { type: "list", knowledgeBase };
    case "text": {
      const [id, ...more] = words;
      if (id === undefined || more.length > 0) return "text needs the id of one document, as list shows it";
      return { type: "text", id, page };
    }
    case "delete":
      if (words.length > 0 && !all) return { type: "delete", ids: words };
      if (words.length === 0 && all && knowledgeBase !== undefined)
        return { type: "delete-all", knowledgeBase };
      return "delete needs the ids of documents, as list shows them, or --knowledge-base NAME with --all";
    default:
      return `there is no command "documents ${name.slice(0, 60)}"; there are add, list, text and delete`;
  }
}
