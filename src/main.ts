#!/usr/bin/env node
/** The `foreword` command: runs one command, and exits with its code. */
import { readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

// Node caches the code it compiles from here on, in threads and workers too, for the next start: so nothing
// of ours is imported above. If this folder is not writable, nothing is cached. (Node's default folder is
// shared by all users of the machine, and any of them could put code there.)
process.env["NODE_COMPILE_CACHE"] ||= fileURLToPath(
  new URL("../node_modules/.cache/foreword", import.meta.url),
);
enableCompileCache();

const { version }: { version: string } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
);

/** The configuration's code, which only this file loads. */
const loadConfigCode = async () => await import("./config/config.ts");

/** Runs a command, and loads only its code. */
async function run(
  command: "serve" | "schema" | "supabase-migration" | "migrate" | "doctor" | "status",
): Promise<number> {
  const { loadConfig } = await loadConfigCode();
  switch (command) {
    case "serve": {
      const { serve } = await import("./command/serve.ts");
      return await serve({ version, ...loadConfig() });
    }
    case "schema": {
      const { loadSchema } = await import("./store/schema/schema.ts");
      const schema = await loadSchema(loadConfig().tables);
      // More than a pipe holds: the process must not exit before its reader has taken it, or left, as `head`.
      process.stdout.once("error", () => {});
      await new Promise<void>((resolve) => process.stdout.write(schema, () => resolve()));
      return 0;
    }
    case "supabase-migration": {
      const { loadSchema } = await import("./store/schema/schema.ts");
      const { writeSupabaseMigration } = await import("./command/supabase-migration.ts");
      return await writeSupabaseMigration(await loadSchema(loadConfig().tables), process.cwd(), new Date());
    }
    case "migrate": {
      const { migrate } = await import("./command/migrate.ts");
      return await migrate(loadConfig());
    }
    case "status": {
      const { runStatus } = await import("./command/status/status.ts");
      return await runStatus(loadConfig());
    }
    case "doctor": {
      const { doctor } = await import("./command/doctor.ts");
      return await doctor(loadConfig);
    }
  }
}

/** Runs a command of `foreword documents`, with its `args`. */
async function runClient(args: readonly string[]): Promise<number> {
  const { documentsHelp, parseDocumentsArguments } = await import("./command/documents/arguments.ts");
  const asked = parseDocumentsArguments(args);
  switch (asked.type) {
    case "help":
      process.stdout.write(documentsHelp);
      return 0;
    case "wrong":
      process.stderr.write(`foreword: ${asked.text}\n\n${documentsHelp}`);
      return 2;
    case "run": {
      const { runDocuments } = await import("./command/documents/run-documents.ts");
      const { loadClientVariables } = await loadConfigCode();
      return await runDocuments(asked.command, asked.options, loadClientVariables());
    }
  }
}

async function main(): Promise<number> {
  try {
    const { help, parseArguments } = await import("./command/arguments.ts");
    const asked = await parseArguments(process.argv.slice(2));
    switch (asked.type) {
      case "run":
        return await run(asked.command);
      case "documents":
        return await runClient(asked.args);
      case "move": {
        const { move } = await import("./command/moving/move.ts");
        const { loadConfig } = await loadConfigCode();
        return await move(asked.command, asked.file, loadConfig());
      }
      case "journal": {
        const { runJournal } = await import("./command/journal/journal.ts");
        const { loadConfig } = await loadConfigCode();
        return await runJournal(asked.action, loadConfig());
      }
      case "help":
        process.stdout.write(help);
        return 0;
      case "version":
        process.stdout.write(`${version}\n`);
        return 0;
      case "wrong":
        process.stderr.write(`foreword: ${asked.text}\n\n${help}`);
        return 2;
    }
  } catch (error) {
    const { explain } = await import("./command/explanation.ts");
    process.stderr.write(`${explain(error)}\n`);
    return 1;
  }
}

process.exit(await main());
