#!/usr/bin/env node
/** The `foreword` command: runs one of its parts, and exits with its code. */
import { readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

// What Node compiles from here on, in threads and workers too, it keeps for the next start: so nothing of ours is imported above. Where
// this folder cannot be written to, nothing is kept. (Node's own choice is one for all users of the machine, in which any could lay code.)
process.env["NODE_COMPILE_CACHE"] ||= fileURLToPath(
  new URL("../node_modules/.cache/foreword", import.meta.url),
);
enableCompileCache();

const { version }: { version: string } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
);

/** Runs it, and loads no other. */
async function run(command: "serve" | "schema" | "migrate" | "doctor"): Promise<number> {
  const { loadConfig } = await import("./config/config.ts");
  switch (command) {
    case "serve": {
      const { serve } = await import("./command/serve.ts");
      return await serve({ version, ...loadConfig() });
    }
    case "schema": {
      const { loadSchema } = await import("./store/schema/schema.ts");
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
  }
}

async function main(): Promise<number> {
  try {
    const { help, parseArguments } = await import("./command/arguments.ts");
    const asked = await parseArguments(process.argv.slice(2));
    switch (asked.type) {
      case "run":
        return await run(asked.command);
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
