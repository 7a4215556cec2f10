#!/usr/bin/env node
/** Owns the `foreword` command: its arguments, its exit codes, and what it says when it cannot go on. */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { doctor } from "./command/doctor.ts";
import { migrate } from "./command/migrate.ts";
import { serve } from "./command/serve.ts";
import { ConfigError, loadConfig } from "./config.ts";
import { loadSchema } from "./store/schema.ts";

const help = `Usage: foreword [command]

Commands:
  serve     answer chats over HTTP (the default)
  schema    print supabase_schema.sql with the configured table names
  migrate   apply the schema to DATABASE_URL; safe to run again
  doctor    check configuration, model and store, and say how to mend what is wrong

Options:
  -h, --help     show this
  -v, --version  show the version

Everything is configured by environment variables, or a file called .env: see .env.example.
`;

const { version }: { version: string } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
);

async function run(command: string): Promise<number> {
  switch (command) {
    case "serve":
      return await serve({ version, ...loadConfig() });
    case "schema":
      process.stdout.write(await loadSchema(loadConfig().tables));
      return 0;
    case "migrate":
      return await migrate(loadConfig());
    case "doctor":
      return await doctor(loadConfig);
    default:
      process.stderr.write(`foreword: there is no command "${command}"\n\n${help}`);
      return 2;
  }
}

/** Returns what to tell of an error that ends the process: a sentence for what its user can mend, all else in full. */
function explain(error: unknown): string {
  if (error instanceof ConfigError) {
    const count = error.problems.length === 1 ? "a setting is" : `${error.problems.length} settings are`;
    return `Foreword cannot start: ${count} wrong.\n${error.problems.map((problem) => `  ${problem}`).join("\n")}\nSee .env.example.`;
  }
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  if (code.startsWith("ERR_PARSE_ARGS")) return `foreword: ${error.message}\n\n${help}`;
  if (code === "EADDRINUSE")
    return `Foreword cannot start: ${error.message}. Another process listens there; set PORT to a free one.`;
  if ("syscall" in error && error.syscall === "listen")
    return `Foreword cannot start: ${error.message}. See HOST and PORT.`;
  if (code.startsWith("store_")) return `Foreword cannot go on: ${error.message}.`;
  return error.stack ?? error.message;
}

async function main(): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { help: { type: "boolean", short: "h" }, version: { type: "boolean", short: "v" } },
    });
    if (values.help === true) process.stdout.write(help);
    else if (values.version === true) process.stdout.write(`${version}\n`);
    else if (positionals.length > 1) return await run(positionals.join(" "));
    else return await run(positionals[0] ?? "serve");
    return 0;
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    return error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS")
      ? 2
      : 1;
  }
}

process.exit(await main());
