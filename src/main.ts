#!/usr/bin/env node
/** Owns the `foreword` command: its arguments, its exit codes, and what it says when it cannot go on. */
import { readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

// What Node compiles from here on, in threads and workers too, it keeps for the next start: so nothing of ours is imported above. Where
// this folder cannot be written to, nothing is kept. (Node's own choice is one for all users of the machine, in which any could lay code.)
process.env["NODE_COMPILE_CACHE"] ||= fileURLToPath(
  new URL("../node_modules/.cache/foreword", import.meta.url),
);
enableCompileCache();

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

/** Runs it, and loads no other. */
async function run(command: string): Promise<number> {
  const { loadConfig } = await import("./config.ts");
  switch (command) {
    case "serve": {
      const { serve } = await import("./command/serve.ts");
      return await serve({ version, ...loadConfig() });
    }
    case "schema": {
      const { loadSchema } = await import("./store/schema.ts");
      process.stdout.write(await loadSchema(loadConfig().tables));
      return 0;
    }
    case "migrate": {
      const { migrate } = await import("./command/migrate.ts");
      return await migrate(loadConfig());
    }
    case "doctor": {
      const { doctor } = await import("./command/doctor.ts");
      return await doctor(loadConfig);
    }
    default:
      process.stderr.write(`foreword: there is no command "${command}"\n\n${help}`);
      return 2;
  }
}

/** Returns what to tell of an error that ends the process: a sentence for what its user can mend, all else in full. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "ConfigError") return `Foreword cannot start: ${error.message}\nSee .env.example.`;
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
