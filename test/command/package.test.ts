/** The built package works without type stripping: as JavaScript, with its worker and schema. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeFolder } from "../support/apps/start-app.ts";
import { useCommands } from "./run-command.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const compiler = join(root, "node_modules/typescript/bin/tsc");
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

const run = promisify(execFile);

/** A page's module, which knows only the browser's declarations. */
const page = `
import { createClient, ForewordError, type Reply, type StreamEvent, type TurnState } from "foreword/client";

const foreword = createClient({
  baseUrl: location.origin,
  fetch: window.fetch,
  headers: async () => ({ authorization: await Promise.resolve("Bearer x") }),
  retry: { maxRetries: 3 },
});
const turn = foreword.start(
  { messages: [{ sender: "user", text: "Hello" }], conversationId: undefined },
  { signal: AbortSignal.timeout(1_000) },
);
for await (const event of turn) {
  if (event.type === "answer-delta") document.title += event.text;
  // @ts-expect-error There is no such event.
  if (event.type === "answer") document.title = "";
}
const reply: Reply = await turn.reply();
const state: TurnState = await turn.stop();
// @ts-expect-error An outcome is a word.
const outcome: number = reply.outcome;
// @ts-expect-error A turn needs messages.
foreword.start({});
export const types: readonly StreamEvent["type"][] = ["turn-start"];
export const code = (error: unknown): unknown => (error instanceof ForewordError ? error.code : [state, outcome]);
`;

/** A program that takes the server's address and prints its turn. */
const program = `
import { createClient } from "foreword/client";
const turn = createClient({ baseUrl: process.argv[2] }).start({ messages: [{ sender: "user", text: "Hello" }] });
let text = "";
for await (const event of turn) if (event.type === "answer-delta") text += event.text;
const { outcome, answer } = await turn.reply();
console.log(JSON.stringify({ outcome, isWhole: answer === text && text !== "" }));
`;

describe("the built package", () => {
  const startCommand = useCommands();
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  before(async () => {
    folder = await makeFolder();
    await run(process.execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: root });
    await mkdir(join(folder.path, "node_modules"));
    await symlink(root, join(folder.path, "node_modules", "foreword"));
    await writeFile(join(folder.path, "package.json"), '{"type":"module"}');
  });
  after(() => folder.remove());

  test("prints its schema", async () => {
    const command = startCommand(["schema"], {}, folder.path, [process.execPath, main]);
    assert.equal(await command.exit(), 0);
    assert.match(command.stdout, /^-- Foreword's schema, version 9/);
  });

  test("serves from its embedded database", async () => {
    const command = startCommand([], { PORT: "0" }, folder.path, [process.execPath, main]);
    const [, address = ""] = await command.printed(/listening +(http:\S+)\n[^]*try .*\n/);
    const ready = await fetch(`${address}/readyz`);
    assert.equal(JSON.parse(await ready.text()).parts.store.status, "ok");
    command.kill("SIGTERM");
    assert.equal(await command.exit(), 0);
  });

  test("has a client that runs a turn against it", async () => {
    const command = startCommand([], { PORT: "0" }, folder.path, [process.execPath, main]);
    const [, address = ""] = await command.printed(/listening +(http:\S+)\n/);
    await writeFile(join(folder.path, "program.js"), program);
    const { stdout } = await run(process.execPath, ["program.js", address], { cwd: folder.path });
    assert.deepEqual(JSON.parse(stdout), { outcome: "complete", isWhole: true });
    command.kill("SIGTERM");
    assert.equal(await command.exit(), 0);
  });

  test("has a client that uses nothing a browser lacks", async () => {
    const options = ["--noEmit", "--strict", "--target", "ESNext", "--module", "NodeNext", "--types", ""];
    options.push("--allowImportingTsExtensions", "--ignoreConfig", "--lib", "ESNext,DOM");
    const wrong = await run(process.execPath, [compiler, ...options, "src/client/client.ts"], {
      cwd: root,
    }).then(
      () => [],
      ({ stdout }: { readonly stdout: string }) =>
        // Other folders give the client types alone, as test/architecture.test.ts holds.
        stdout.split("\n").filter((line) => line.startsWith("src/client/")),
    );
    assert.deepEqual(
      wrong.filter((line) => line !== ""),
      [],
    );
  });

  for (const [module, resolution] of [
    ["NodeNext", "NodeNext"],
    ["ESNext", "Bundler"],
  ] as const) {
    test(`has a client whose types a browser's project understands, resolved as ${resolution} does`, async () => {
      await writeFile(join(folder.path, "page.ts"), page);
      const options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--target", "ESNext"];
      options.push(
        "--module",
        module,
        "--moduleResolution",
        resolution,
        "--types",
        "",
        "--lib",
        "ESNext,DOM",
      );
      await run(process.execPath, [compiler, ...options, "page.ts"], { cwd: folder.path }).catch(
        ({ stdout }: { readonly stdout: string }) => assert.fail(stdout),
      );
    });
  }
});
