/** Parses the arguments of `foreword`: a command, or an error that tells the user how to correct them. */
import { parseArgs } from "node:util";
import type { JournalAction } from "./journal/journal.ts";

const commands = ["serve", "schema", "migrate", "doctor", "status"] as const;
const migrationOption = "supabase-migration";

/** A command. */
export type Command = (typeof commands)[number];

/** The parsed arguments; `wrong` holds a sentence that tells the user how to correct them. */
export type Arguments =
  | { readonly type: "run"; readonly command: Command | "supabase-migration" }
  /** A client's command, whose arguments are parsed apart. */
  | { readonly type: "documents"; readonly args: readonly string[] }
  /** `-` is the standard output or input. */
  | {
      readonly type: "move";
      readonly command: MoveCommand;
      /** Only `backup` has a name of its own. */
      readonly file: string | undefined;
    }
  | { readonly type: "journal"; readonly action: JournalAction }
  | { readonly type: "help" }
  | { readonly type: "version" }
  | { readonly type: "wrong"; readonly text: string };

type MoveCommand = "export" | "import" | "backup";

/** The text of `--help`. */
export const help = `Usage: foreword [command]

Commands:
  serve      start the server (the default)
  schema     print supabase_schema.sql with the configured table names
  migrate    apply the schema to DATABASE_URL; safe to run again
  doctor     check configuration, model and store, and show how to fix each problem
  documents  add documents to a knowledge base of a running server, list and delete them
  status     show what the running server does now
  backup [FILE]
             write all rows to a file, also while the server runs; import brings them back
  export FILE, import FILE
             move all rows to another database, the embedded one or DATABASE_URL; - is a pipe
  journal    show the writes that wait for the database on this machine, and those that it has rejected
  journal retry, journal save FILE
             have the rejected ones tried again; save all of them as lines of JSON

Options:
  -h, --help     show this help
  -v, --version  show the version
  schema --supabase-migration
                 write the schema to supabase/migrations/<time>_foreword_v<version>.sql, for the Supabase CLI

Settings are environment variables, or lines of a file called .env in the working directory; the environment
overrides the file. In a checkout:

  PORT=3000 npm start
  OPENAI_API_KEY=sk-… OPENAI_MODEL=gpt-4o-mini npm start
  npm run foreword -- doctor

.env.example and README.md list every setting: HOST and PORT, AUTH, OPENAI_…, DATABASE_URL, SUPABASE_…, LOG_LEVEL and more.
`;

/** Other programs' names for our commands. */
const synonyms: Readonly<Record<string, Command | "documents" | "export" | "import" | "journal">> = {
  start: "serve",
  run: "serve",
  server: "serve",
  dev: "serve",
  migrations: "migrate",
  check: "doctor",
  top: "status",
  document: "documents",
  docs: "documents",
  dump: "export",
  restore: "import",
  queue: "journal",
};
const optionNames: Readonly<Record<string, string>> = {
  p: "PORT",
  H: "HOST",
  hostname: "HOST",
  model: "OPENAI_MODEL",
  key: "OPENAI_API_KEY",
  "api-key": "OPENAI_API_KEY",
  "base-url": "OPENAI_BASE_URL",
  db: "DATABASE_URL",
  database: "DATABASE_URL",
  demo: "DEMO_MODE",
  cors: "CORS_ALLOW_ORIGINS",
};

/** Returns the parsed `args`. */
export async function parseArguments(args: readonly string[]): Promise<Arguments> {
  if (args[0] === "documents") return { type: "documents", args: args.slice(1) };
  if (args[0] === "help" && args[1] === "documents") return { type: "documents", args: ["--help"] };
  const { tokens } = parseArgs({ args: [...args], strict: false, allowPositionals: true, tokens: true });
  const options = tokens.filter((token) => token.kind === "option");
  const words = tokens.flatMap((token) => (token.kind === "positional" ? [token.value] : []));
  const [first = "serve", ...rest] = words;
  for (const { name, rawName, value } of options) {
    if (["h", "help"].includes(name)) return { type: "help" };
    if (["v", "version"].includes(name)) return { type: "version" };
    if (name === migrationOption) {
      if (first === "schema" && rest.length === 0 && options.length === 1)
        return { type: "run", command: migrationOption };
      return {
        type: "wrong",
        text: `--${migrationOption} works only with \`foreword schema\`, without other options.`,
      };
    }
    return { type: "wrong", text: await toOptionAdvice(name, rawName, value ?? findValue(args, rawName)) };
  }
  if (first === "help") return { type: "help" };
  if (first === "export" || first === "import" || first === "backup") return parseMove(first, rest);
  if (first === "journal") return parseJournal(rest);
  if (first === "version" && rest.length === 0) return { type: "version" };
  const command = commands.find((name) => name === first);
  if (command === undefined) return { type: "wrong", text: toCommandAdvice(first) };
  if (rest.length === 0) return { type: "run", command };
  const [extra = ""] = rest;
  // npm takes the option out of `npm start --port 3000`, and passes its value on.
  const advice = /^\d+$/.test(extra)
    ? `to listen on that port: PORT=${extra} npm start`
    : "settings are environment variables, or lines of .env";
  return { type: "wrong", text: `"${command}" takes no argument "${shorten(extra)}"; ${advice}.` };
}

function parseMove(command: MoveCommand, words: readonly string[]): Arguments {
  const [file, ...more] = words;
  const isNamed = file !== undefined || command === "backup";
  if (isNamed && more.length === 0) return { type: "move", command, file };
  return {
    type: "wrong",
    text: `${command} ${command === "backup" ? "takes" : "needs"} the name of one file: foreword ${command} chats.ndjson`,
  };
}

function parseJournal([action = "list", ...words]: readonly string[]): Arguments {
  const [file, ...more] = words;
  if ((action === "list" || action === "retry") && file === undefined)
    return { type: "journal", action: { type: action } };
  if (action === "save" && file !== undefined && more.length === 0)
    return { type: "journal", action: { type: "save", file } };
  const text = "journal is used alone, or as `journal retry` or `journal save FILE`.";
  return { type: "wrong", text };
}

/** Returns a value that follows its option as the next word. */
function findValue(args: readonly string[], rawName: string): string | undefined {
  const value = args[args.indexOf(rawName) + 1];
  return value?.startsWith("-") === true ? undefined : value;
}

async function toOptionAdvice(name: string, rawName: string, value: string | undefined): Promise<string> {
  const [{ variableNames }, { findNearest }] = await Promise.all([
    import("../config/variables.ts"),
    import("../config/misspelt-names.ts"),
  ]);
  const synonym = Object.hasOwn(optionNames, name) ? optionNames[name] : undefined;
  const variable = synonym ?? findNearest(name, variableNames);
  if (["helpp", "hlep", "hepl", "usage"].includes(name)) return `there is no option ${rawName}; try --help.`;
  if (variable === undefined)
    return `there is no option ${shorten(rawName)}. Settings are environment variables, or lines of .env.`;
  const isShown = value !== undefined && /^[\w.:]{1,40}$/.test(value) && !/KEY|SECRET|URL/.test(variable);
  return `there is no option ${rawName}. Settings are environment variables, or lines of .env: ${variable}=${isShown ? value : "…"} npm start`;
}

function toCommandAdvice(word: string): string {
  const shown = shorten(word);
  const meant = Object.hasOwn(synonyms, word) ? synonyms[word] : undefined;
  return `there is no command "${shown}"${meant === undefined ? "" : `; did you mean ${meant}?`}`;
}

/** Returns the start of `word`, without anything of a URL: it may hold a password. */
function shorten(word: string): string {
  const shown = word.replace(/:\/\/.*/s, "://…");
  return shown.length <= 60 ? shown : `${shown.slice(0, 60)}…`;
}
