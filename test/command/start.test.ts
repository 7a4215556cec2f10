/** The output of a start: its block, misspelt settings, unusable addresses, and the log in a terminal. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { explain } from "../../src/command/explanation.ts";
import { IdentityProvider } from "../support/apps/identity-provider.ts";
import { listen } from "../support/network/local-port.ts";
import { useCommands, useSuiteFolder, type RunningCommand } from "./run-command.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);
const noStore = { CHAT_STORE_ENABLED: "false" };

async function isThere(command: string): Promise<boolean> {
  return await run("sh", ["-c", `command -v ${command}`]).then(
    () => true,
    () => false,
  );
}

describe("foreword", () => {
  const folder = useSuiteFolder();
  const startCommand = useCommands();

  async function refuse(variables: Record<string, string>, args: string[] = []): Promise<string> {
    const command = startCommand(args, variables, folder.path);
    assert.notEqual(await command.exit(), 0);
    assert.equal(command.stdout, "");
    assert.doesNotMatch(command.stderr, /^ +at /m, "no stack");
    return command.stderr;
  }

  async function stop(command: RunningCommand): Promise<void> {
    command.kill("SIGTERM");
    assert.equal(await command.exit(), 0);
  }

  test("checks its port before it creates the embedded database", async () => {
    const other = createServer();
    const port = await listen(other);
    const text = await refuse({ PORT: String(port), DATA_DIR: "unmade" });
    const metrics = await refuse({ PORT: "0", METRICS_PORT: String(port), DATA_DIR: "unmade" });
    other.close();
    assert.match(
      metrics,
      /; set METRICS_PORT to a free port\. For example: METRICS_PORT=8001 npm start\.\n$/,
    );
    assert.match(
      text,
      /^Foreword cannot start: .*EADDRINUSE.*. Another process is listening there; set PORT to a free port\. For example: PORT=8001 npm start\.\n$/,
    );
    assert.ok(!existsSync(join(folder.path, "unmade")));
  });

  test("advises on a foreign address, an unknown host name, and a port it may not open", async () => {
    const keys = { AUTH: "keys", API_KEYS: "k".repeat(24) };
    assert.match(await refuse({ ...keys, HOST: "192.0.2.1" }), /EADDRNOTAVAIL.*set HOST to 127\.0\.0\.1/);
    assert.match(
      await refuse({ ...keys, HOST: "no such.invalid" }),
      /ENOTFOUND.*cannot resolve HOST; set it to 127/,
    );
    const denied = Object.assign(new Error("listen EACCES: permission denied 127.0.0.1:80"), {
      code: "EACCES",
      syscall: "listen",
    });
    assert.match(explain(denied), /^Foreword cannot start: .*ports below 1024; set PORT to 1024 or more/);
  });

  test("lists the host names it accepts, which follow from its address", async () => {
    const open = { ...noStore, PORT: "0", ALLOW_UNAUTHENTICATED: "true" };
    for (const [variables, names] of [
      [{ HOST: "[::1]", ALLOWED_HOSTS: "a.example.com" }, "localhost, loopback addresses, a.example.com;"],
      [{ HOST: "0.0.0.0" }, "localhost, all addresses;"],
    ] as const) {
      const command = startCommand([], { ...open, ...variables }, folder.path);
      const [, told = ""] = await command.printed(/hosts +(.*)\n[^]*try .*\n/);
      await stop(command);
      assert.ok(told.startsWith(names), told);
    }
  });

  test("names the setting that an option was meant to be, and the command to type", async () => {
    for (const [args, advice] of [
      [["--port", "3000"], /^foreword: there is no option --port\. .*: PORT=3000 npm start\n/],
      [["serve", "--port=3000"], /: PORT=3000 npm start\n/],
      [["-p", "3000"], /there is no option -p\. .*: PORT=3000 npm start\n/],
      [["serve", "3000"], /^foreword: "serve" takes no argument "3000"; .*: PORT=3000 npm start\.\n/],
      [["--log-level", "debug"], /: LOG_LEVEL=debug npm start\n/],
      [["--openai-api-key=sk-secret"], /: OPENAI_API_KEY=… npm start\n/],
      [
        ["--what"],
        /^foreword: there is no option --what\. Settings are environment variables, or lines of \.env\.\n/,
      ],
      [["start"], /^foreword: there is no command "start"; did you mean serve\?\n/],
      [["--__proto__=1"], /^foreword: there is no option --__proto__\. Settings are .* lines of \.env\.\n/],
      [["--constructor"], /^foreword: there is no option --constructor\. Settings are .* lines of \.env\.\n/],
      [["postgres://u:secret@h/d"], /^foreword: there is no command "postgres:\/\/…"\n/],
      [["migrate", "postgres://u:secret@h/d"], /^foreword: "migrate" takes no argument "postgres:\/\/…"; /],
    ] as const) {
      const text = await refuse({}, [...args]);
      assert.match(text, advice);
      assert.match(text, /\n\nUsage: foreword/);
      assert.ok(!text.includes("secret"));
    }
  });

  test("reports misspelt names in .env and in the environment, and reads the first line after a byte order mark", async () => {
    await writeFile(join(folder.path, ".env"), "\ufeffPORT=0\r\nOPENAI_MODLE=x\r\nAUTH none\r\n");
    const command = startCommand([], { ...noStore, PORT: "", LOGLEVEL: "debug" }, folder.path);
    await command.printed(/try .*\n/);
    await stop(command);
    await rm(join(folder.path, ".env"));
    for (const warning of [
      "Warning: Line 3 of .env is ignored: it is not of the form NAME=value.\n",
      "Warning: OPENAI_MODLE is not a setting and is ignored; did you mean OPENAI_MODEL?\n",
      "Warning: LOGLEVEL is not a setting and is ignored; did you mean LOG_LEVEL?\n",
    ])
      assert.ok(command.stderr.includes(warning), command.stderr);
    assert.equal(command.stderr.match(/Warning/g)?.length, 3, command.stderr);
  });

  test("reports in a sentence that .env cannot be read", async () => {
    await mkdir(join(folder.path, ".env"));
    const text = await refuse({});
    await rm(join(folder.path, ".env"), { recursive: true });
    assert.match(
      text,
      /^Foreword cannot start: 1 setting is invalid:\n {2}\.env in .* cannot be read \(EISDIR/,
    );
  });

  test("exits with a sentence if its data folder cannot be created, whatever the system error", async () => {
    await writeFile(join(folder.path, "file"), "");
    for (const DATA_DIR of ["/proc/foreword", "/dev/null/x", "file", "file/below", "n".repeat(300)])
      assert.match(
        await refuse({ PORT: "0", DATA_DIR }),
        /^(?:Opening .*\n)?Foreword cannot continue: .* cannot be used \(E.*see DATA_DIR\.\n$/,
      );
  });

  test("prints a request that works as printed, with a token if one is required", async (context) => {
    if (!(await isThere("curl"))) return context.skip("curl is not installed");
    const key = "k".repeat(24);
    const provider = await IdentityProvider.start();
    const userId = "01890000-0000-7000-8000-0000000000ab";
    const token = await provider.sign(provider.claimsOf(userId, new Date()));
    const check = async (variables: Record<string, string>, TOKEN: string): Promise<void> => {
      const command = startCommand([], { ...noStore, PORT: "0", ...variables }, folder.path);
      const [, curl = ""] = await command.printed(/^ {2}try +(curl .*)\n(?: {13}.*\n)*/m);
      if (TOKEN !== "") assert.match(command.stderr, /\n {13}first set TOKEN to .*: export TOKEN='…'\n/);
      const { stdout } = await run("sh", ["-c", curl], { env: { PATH: process.env["PATH"], TOKEN } });
      assert.match(stdout, /---RESPONSE---/);
      await stop(command);
    };
    await Promise.all([
      check({}, ""),
      check({ AUTH: "keys", API_KEYS: key, HOST: "0.0.0.0" }, key),
      check({ AUTH: "supabase", SUPABASE_URL: provider.url }, token),
    ]);
    await provider.close();
  });

  test("explains whether DEMO_MODE or missing settings select the demo model", async () => {
    const real = { OPENAI_API_KEY: "sk-x", OPENAI_MODEL: "m", DEMO_MODE: "true" };
    for (const [variables, words] of [
      [{}, /model +built-in demo \(for a real model set OPENAI_MODEL, and OPENAI_API_KEY or/],
      [real, /model +built-in demo, because DEMO_MODE is true\n/],
    ] as const) {
      const command = startCommand([], { ...noStore, PORT: "0", ...variables }, folder.path);
      await command.printed(/try .*\n/);
      assert.match(command.stderr, words);
      await stop(command);
    }
  });
});

describe("the log", () => {
  const folder = useSuiteFolder();
  const startCommand = useCommands();

  /** Serves until it reports so, in a terminal if `script` creates one; resolves with its output. */
  async function serve(variables: Record<string, string>, start: readonly string[]): Promise<string> {
    const { HOME = folder.path } = variables;
    const command = startCommand([], { ...noStore, PORT: "0", HOME, ...variables }, root, start, true);
    while (!/listening"|INFO.*listening/.test(command.stdout)) await command.wrote();
    command.killGroup("SIGTERM");
    await command.exit();
    return command.stdout;
  }

  const main = `${process.execPath} ${join(root, "src/main.ts")}`;
  const terminal = ["script", "-qec", main, "/dev/null"];

  test("is readable in a terminal, in colors unless NO_COLOR is set, and JSON with LOG_FORMAT=json", async (context) => {
    if (!(await isThere("script"))) return context.skip("script (util-linux) is not installed");
    const [colours, plain, json] = await Promise.all([
      serve({ TERM: "xterm-256color" }, terminal),
      serve({ TERM: "xterm-256color", NO_COLOR: "1" }, terminal),
      serve({ TERM: "xterm", LOG_FORMAT: "json" }, terminal),
    ]);
    assert.match(
      colours.replaceAll("\u001b", "ESC"),
      /^\[[\d:.]{12}\] ESC\[32mINFOESC\[39m: ESC\[36mlistening/m,
    );
    assert.match(plain, /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: listening\r$/m);
    assert.ok(!plain.includes("\u001b"));
    assert.match(json, /^\{"level":30,.*"msg":"listening"\}\r$/m);
  });

  test("is only JSON if npm start --silent is not in a terminal, and readable with LOG_FORMAT=pretty", async () => {
    const start = ["npm", "start", "--silent"];
    const [lines, pretty] = await Promise.all([serve({}, start), serve({ LOG_FORMAT: "pretty" }, start)]);
    for (const line of lines.trim().split("\n")) assert.equal(typeof JSON.parse(line).msg, "string");
    assert.match(pretty, /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: listening$/m);
  });
});
