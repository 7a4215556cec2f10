/** `foreword-client` as it is published: packed, installed from the tarball, used without this repository. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "rolldown";
import { makeFolder } from "../support/apps/start-app.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const packageFolder = join(root, "packages/foreword-client");
const compiler = join(root, "node_modules/typescript/bin/tsc");
/** The most bytes of the core, minified and compressed. */
const maxCoreBytes = 6_000;

const run = promisify(execFile);

/** A page's module, which knows only the browser's declarations. */
const page = `
import { createClient, ForewordError, type Reply, type StreamEvent, type TurnState } from "foreword-client";
import { supabaseAuth } from "foreword-client/supabase";

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
const session = { data: { session: null }, error: null };
const auth = { getSession: async () => session, refreshSession: async () => session };
const signedIn = createClient({ baseUrl: location.origin, ...supabaseAuth({ auth }) });
const { conversations, nextCursor } = await signedIn.conversations.list({ query: "Oslo" });
export const titles: readonly (string | null)[] = [...conversations.map(({ title }) => title), nextCursor];
export const types: readonly StreamEvent["type"][] = ["turn-start"];
export const code = (error: unknown): unknown => (error instanceof ForewordError ? error.code : [state, outcome]);
`;

/** Returns the file that `target` means in `file`. */
function toFile(file: string, target: string): string {
  const name = target.replace(/^\.\//, "");
  return file.endsWith(".d.ts") ? name.replace(/\.js$/, ".d.ts") : name;
}

/** The names that examples of the guide use without declaring them. */
const guidePrelude = `
import { createClient, type ChatMessage, type Reply, type ApprovalAnswer } from "foreword-client";
declare const userId: string, turnId: string, signal: AbortSignal, stopButton: HTMLButtonElement;
declare const messages: ChatMessage[], parameters: Record<string, unknown>;
declare function getToken(): Promise<string>;
declare function show(text: string): void;
declare function showTitle(title: string | undefined): void;
declare function showProblem(code: string, message: string): void;
declare function offerRetry(afterMs: number | null): void;
declare function run(name: string, input: string): Promise<unknown>;
declare function ask(tools: Reply["tools"], approvals: Reply["approvals"]): Promise<ApprovalAnswer[]>;
declare const supabase: import("foreword-client/supabase").SupabaseClient;
`;

/** Returns the examples of docs/client.md as modules, each with a client. */
async function readExamples(): Promise<string[]> {
  const guide = await readFile(join(root, "docs/client.md"), "utf8");
  return Array.from(guide.matchAll(/^```ts\n([^]*?)^```$/gm), ([, code = ""]) => {
    const isWhole = code.includes("createClient(");
    const client = `const foreword = createClient({ baseUrl: location.origin });\n`;
    const imports = isWhole ? guidePrelude.replace("createClient, ", "") : guidePrelude;
    return `${imports}${isWhole ? "" : client}${code}\nexport {};\n`;
  });
}

/** Whether a file may import a peer: the adapter for it may, types alone. */
function isOwnPeer(file: string, target: string): boolean {
  return file === "assistant-ui.d.ts" && target === "@assistant-ui/react";
}

describe("the package", () => {
  const model = useModel();
  const app = useApp(model);
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let installed = "";
  before(async () => {
    folder = await makeFolder();
    await run("npm", ["pack", "--pack-destination", folder.path], { cwd: packageFolder });
    const tarball = (await readdir(folder.path)).find((name) => name.endsWith(".tgz"));
    await writeFile(join(folder.path, "package.json"), '{"type":"module","private":true}');
    const options = ["--offline", "--ignore-scripts", "--no-audit", "--no-fund"];
    await run("npm", ["install", ...options, `./${tarball}`], { cwd: folder.path });
    installed = join(folder.path, "node_modules", "foreword-client");
  });
  after(() => folder.remove());

  test("brings no other package, and nothing but its built files, its guide and its license", async () => {
    const packages = await readdir(join(folder.path, "node_modules"));
    assert.deepEqual(
      packages.filter((name) => !name.startsWith(".")),
      ["foreword-client"],
    );
    const files = await readdir(installed, { recursive: true });
    assert.deepEqual(files.filter((name) => !/^dist(?:\/[\w-]+(?:\.d\.ts|\.js))?$/.test(name)).toSorted(), [
      "LICENSE",
      "README.md",
      "package.json",
    ]);
  });

  test("imports in no file, of code or of types, anything that the tarball lacks", async () => {
    const names = await readdir(join(installed, "dist"));
    for (const name of names) {
      const text = await readFile(join(installed, "dist", name), "utf8");
      for (const [, target = ""] of text.matchAll(/\bfrom "([^"]+)"|\bimport\("([^"]+)"\)/g))
        assert.ok(
          names.includes(toFile(name, target)) || isOwnPeer(name, target),
          `${name} imports ${target}`,
        );
    }
  });

  test("runs the quick start of its README in plain Node", async () => {
    const guide = await readFile(join(installed, "README.md"), "utf8");
    const [, program = ""] = /^```js\n([^]*?)^```$/m.exec(guide) ?? [];
    assert.ok(program.includes("http://127.0.0.1:8000"), "the README has a program");
    await writeFile(join(folder.path, "program.js"), program.replaceAll("http://127.0.0.1:8000", app.url));
    const { stdout } = await run(process.execPath, ["program.js"], { cwd: folder.path });
    assert.match(stdout, /\ncomplete\n$/);
  });

  test("has a core of at most 6 KB, minified and gzipped", async (context) => {
    const { output } = await build({
      input: join(installed, "dist/client.js"),
      platform: "browser",
      write: false,
      output: { minify: true },
    });
    const sizeBytes = gzipSync(output[0].code, { level: 9 }).length;
    context.diagnostic(`figure: core of foreword-client, minified and gzipped ${sizeBytes} bytes`);
    assert.ok(sizeBytes <= maxCoreBytes, `${sizeBytes} bytes`);
  });

  test("uses nothing in its source that a browser lacks", async () => {
    const options = ["--noEmit", "--strict", "--target", "ESNext", "--module", "NodeNext", "--types", ""];
    options.push("--allowImportingTsExtensions", "--ignoreConfig", "--lib", "ESNext,DOM");
    const own = "packages/foreword-client/src/";
    const lines = await run(process.execPath, [compiler, ...options, `${own}client.ts`], { cwd: root }).then(
      () => [],
      // The server's files, which give it types, may use more.
      ({ stdout }: { readonly stdout: string }) => stdout.split("\n").filter((line) => line.startsWith(own)),
    );
    assert.deepEqual(lines, []);
  });

  for (const [module, resolution] of [
    ["NodeNext", "NodeNext"],
    ["ESNext", "Bundler"],
  ] as const) {
    test(`has types that a strict browser project and the guide's examples use, resolved as ${resolution} does`, async () => {
      const examples = await readExamples();
      assert.ok(examples.length >= 5, "the guide has examples");
      const names = ["page.ts", ...examples.keys().map((index) => `example-${index}.ts`)];
      for (const [index, text] of [page, ...examples].entries())
        await writeFile(join(folder.path, names[index] ?? ""), text);
      const options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--target", "ESNext"];
      options.push("--module", module, "--moduleResolution", resolution);
      options.push("--types", "", "--lib", "ESNext,DOM");
      await run(process.execPath, [compiler, ...options, ...names], { cwd: folder.path }).catch(
        ({ stdout }: { readonly stdout: string }) => assert.fail(stdout),
      );
    });
  }
});
