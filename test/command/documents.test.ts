/** `foreword documents`: a client of a running server, as a process of its own. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { useApp, useDatabase, useModel } from "../support/apps/use-app.ts";
import { keyedVariables } from "../support/apps/keyed-server.ts";
import { startPglite } from "../support/databases/store-harness.ts";
import { makePdf } from "../support/documents/make-pdf.ts";
import { closeServer, listen } from "../support/network/local-port.ts";
import { useCommands, useSuiteFolder } from "./run-command.ts";

const Line = z.object({
  file: z.string(),
  error: z.object({ code: z.string().nullable(), message: z.string() }).nullable(),
  document: z.looseObject({ id: z.string(), state: z.string() }).nullable(),
});

describe("foreword documents", { timeout: 120_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPglite);
  const app = useApp(model, { ...keyedVariables, LIMIT_DOCUMENT_MIB: "1" }, { database });
  const folder = useSuiteFolder();
  const startCommand = useCommands();

  function start(
    userId: string,
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): ReturnType<typeof startCommand> {
    const token = keyedVariables.API_KEYS;
    const variables = { FOREWORD_URL: app.url, FOREWORD_TOKEN: token, FOREWORD_USER_ID: userId, ...more };
    return startCommand(["documents", ...args], variables, folder.path);
  }

  async function run(
    userId: string,
    args: readonly string[],
    more?: Readonly<Record<string, string>>,
  ): Promise<{ readonly code: unknown; readonly stdout: string; readonly stderr: string }> {
    const command = start(userId, args, more);
    return { code: await command.exit(), stdout: command.stdout, stderr: command.stderr };
  }

  async function write(name: string, bytes: string | Buffer): Promise<void> {
    await mkdir(join(folder.path, name, ".."), { recursive: true });
    await writeFile(join(folder.path, name), bytes);
  }

  test("adds files and folders, waits until they are read, and shows, prints and deletes them", async () => {
    const userId = randomUUID();
    const pages = [1, 2].map((page) => [{ text: `This is page ${page}.`, x: 50, y: 700 }]);
    await write("books/a.pdf", makePdf(pages));
    await write("books/deep/b.md", "# Über uns\n\nWords.\n");
    await write("books/.hidden.md", "hidden");
    await write("books/image.png", "none");
    await symlink(join(folder.path, "books"), join(folder.path, "books", "again"));
    await write("notes", "A note.\n");
    const added = await run(userId, ["add", "books", "notes", "books/a.pdf", "-k", "hand/book"]);
    assert.equal(
      added.stdout,
      "read    books/a.pdf  2 pages, 2 passages\nread    books/deep/b.md  1 passage\nread    notes  1 passage\n",
    );
    assert.deepEqual([added.code, added.stderr], [0, "1 file of other types left out.\n"]);
    const bases = await run(userId, ["list"]);
    assert.equal(bases.stdout, "hand/book  3 documents, 0 to be read, 0 failed, 4 passages\n");
    const { stdout: list } = await run(userId, ["list", "--knowledge-base", "hand/book"]);
    const [, id = ""] = /^(\S+) {2}ready {4}a\.pdf {2}2 pages, 2 passages$/m.exec(list) ?? [];
    assert.equal(list.trim().split("\n").length, 3, list);
    assert.equal((await run(userId, ["text", id, "--page", "2"])).stdout, "This is page 2.\n\n");
    const { code, stdout } = await run(userId, ["delete", id, randomUUID()]);
    assert.equal(code, 1);
    assert.match(stdout, new RegExp(`^deleted ${id}\nfailed .* document_not_found: `));
    assert.equal((await run(userId, ["delete", "-k", "hand/book", "--all"])).code, 0);
    assert.equal((await run(userId, ["list"])).stdout, "");
    const gone = await run(userId, ["list", "-k", "hand/book"]);
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /^foreword: knowledge_base_not_found: \S.*\n$/);
  });

  test("says of each file why it failed, adds the others, and exits with 1", async () => {
    await write("scan.pdf", makePdf([[]]));
    await write("image.png", Buffer.from("89504e470d0a1a0a00", "hex"));
    await write("empty.txt", "");
    await write("large.txt", "x".repeat(2 * 1024 * 1024));
    await write("fine.txt", "Fine.\n");
    const names = ["missing.pdf", "scan.pdf", "image.png", "empty.txt", "large.txt", "fine.txt"];
    const { code, stdout, stderr } = await run(randomUUID(), ["add", ...names, "-k", "k", "--json"]);
    assert.deepEqual([code, stderr], [1, ""]);
    const lines = stdout.trim().split("\n");
    const found = lines.map((line) => Line.parse(JSON.parse(line)));
    assert.deepEqual(
      found.map(({ file, error, document }) => [file, error?.code, document?.state]),
      [
        ["missing.pdf", null, undefined],
        ["image.png", "document_type_unknown", undefined],
        ["empty.txt", "invalid_request", undefined],
        ["large.txt", "document_too_large", undefined],
        ["scan.pdf", "document_has_no_text", "failed"],
        ["fine.txt", undefined, "ready"],
      ],
    );
    for (const { error } of found) if (error !== null) assert.match(error.message, /^\S.{10,}\.$/);
  });

  test(
    "shows a bar in a terminal, and the results in its place",
    { skip: !existsSync("/usr/bin/script") && "there is no script" },
    async () => {
      await write("bar.pdf", makePdf([[{ text: "A page.", x: 50, y: 700 }]]));
      const variables = {
        FOREWORD_URL: app.url,
        FOREWORD_TOKEN: keyedVariables.API_KEYS,
        FOREWORD_USER_ID: randomUUID(),
      };
      const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
      const line = `stty cols 70; '${process.execPath}' '${main}' documents add bar.pdf -k k`;
      const command = startCommand(["/dev/null"], variables, folder.path, ["/usr/bin/script", "-qec", line]);
      assert.equal(await command.exit(), 0, command.stdout);
      const shown = command.stdout.split("\r\u001b[K");
      assert.ok(shown.includes(`1/1 sending bar.pdf [${"#".repeat(20)}] 100%`), command.stdout);
      assert.ok(
        shown.some((text) => text.startsWith("1/1 reading bar.pdf")),
        command.stdout,
      );
      assert.equal(shown.at(-1), "read    bar.pdf  1 page, 1 passage\r\n");
    },
  );

  test("with --no-wait ends once the files are stored, and the server reads them", async () => {
    const userId = randomUUID();
    await write("later.txt", "Later.\n");
    const { code, stdout } = await run(userId, ["add", "later.txt", "-k", "k", "--no-wait"]);
    assert.equal(code, 0);
    const [, id] = /^stored {2}later\.txt {2}(\S+)\n$/.exec(stdout) ?? [];
    assert.ok(id !== undefined, stdout);
    await app.logged(({ msg, documentId }) => msg === "document read" && documentId === id);
  });

  test("stopped by Ctrl-C leaves what is stored to the server, and says so", async () => {
    const userId = randomUUID();
    let sent = 0;
    const stalling = await serve((request, response) => {
      sent += 1;
      if (sent > 1) return void request.on("data", () => {});
      request.resume();
      response.end(documentJson("waiting"));
    });
    await write("one.txt", "One.\n");
    await write("two.txt", "Two.\n");
    const command = start(userId, ["add", "one.txt", "two.txt", "-k", "k"], { FOREWORD_URL: stalling.url });
    await stalling.requested(2);
    command.kill("SIGINT");
    assert.equal(await command.exit(), 130);
    assert.match(command.stderr, /^Stopped\. The server has 1 of 2 files, and goes on reading them\./);
    assert.equal(command.stdout, "");
    await stalling.close();
  });

  test("asks again for what is read when a connection is lost or a proxy does not reach the server, and says what is stored when no more can be", async () => {
    await write("one.txt", "One.\n");
    await write("two.txt", "Two.\n");
    const asked: string[] = [];
    const restarting = await serve((request, response) => {
      request.resume();
      asked.push(`${request.method}`);
      if (asked.length === 2 || asked.length === 6) return void response.destroy();
      if (asked.length === 3)
        return void response.writeHead(502, { "content-type": "text/html" }).end("<h1>");
      response.end(documentJson(request.method === "GET" ? "ready" : "waiting"));
    });
    const more = { FOREWORD_URL: restarting.url };
    const read = await run(randomUUID(), ["add", "one.txt", "-k", "k"], more);
    assert.deepEqual([read.code, read.stdout, read.stderr], [0, "read    one.txt  0 passages\n", ""]);
    assert.deepEqual(asked, ["POST", "GET", "GET", "GET"]);
    const stopped = await run(randomUUID(), ["add", "one.txt", "two.txt", "-k", "k", "--json"], more);
    assert.equal(stopped.code, 1);
    const { file, error, document } = Line.parse(JSON.parse(stopped.stdout));
    assert.deepEqual([file, error, document?.state], ["one.txt", null, "waiting"]);
    assert.match(
      stopped.stderr,
      /^Stopped\. The server has 1 of 2 files, .*\nforeword: The server at .* cannot/,
    );
    await restarting.close();
  });

  test("waits as long as a server says that is busy", async () => {
    let asked = 0;
    const busy = await serve((request, response) => {
      request.resume();
      asked += 1;
      if (asked === 1) return void response.writeHead(429, { "retry-after": "0" }).end();
      response.end('{"knowledgeBases":[]}');
    });
    const { code } = await run(randomUUID(), ["list"], { FOREWORD_URL: busy.url });
    assert.deepEqual([code, asked], [0, 2]);
    await busy.close();
  });

  test("says once that a server is away, refuses the token, or is none", async () => {
    await write("one.txt", "One.\n");
    const other = await serve((request, response) => {
      request.resume();
      response.end("<html>");
    });
    for (const [more, message] of [
      [
        { FOREWORD_URL: "http://127.0.0.1:1" },
        /^foreword: The server at http:\S+ cannot be reached \(.*ECONNREFUSED/,
      ],
      [{ FOREWORD_TOKEN: "wrong" }, /^foreword: unauthenticated: /],
      [{ FOREWORD_URL: other.url }, /^foreword: \S+ responds with status 200, not as a Foreword server/],
    ] as const) {
      const { code, stdout, stderr } = await run(
        randomUUID(),
        ["add", "one.txt", "one.txt", "-k", "k"],
        more,
      );
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, message);
      assert.equal(stderr.trim().split("\n").length, 1);
    }
    await other.close();
  });

  test("takes its options before the environment, and `.env` after it", async () => {
    const userId = randomUUID();
    await write(".env", `FOREWORD_URL=${app.url}\nFOREWORD_TOKEN=wrong\n`);
    const args = ["documents", "list", "--token", keyedVariables.API_KEYS, "--user-id", userId];
    const command = startCommand(args, { FOREWORD_USER_ID: "wrong" }, folder.path);
    assert.equal(await command.exit(), 0, command.stderr);
    await write(".env", "");
  });

  test("tells how to use it, and what is wrong with its arguments", async () => {
    for (const args of [["--help"], ["add", "--help"], []]) {
      const { code, stdout } = await run("", args);
      assert.equal(code, 0);
      assert.match(stdout, /^Usage: foreword documents add FILE… --knowledge-base NAME\n/);
    }
    for (const [args, message] of [
      [["add", "a.pdf"], /add needs --knowledge-base NAME/],
      [["add", "-k", "k"], /add needs files or folders/],
      [["delete", "-k", "k"], /delete needs the ids .* with --all/],
      [["burn"], /there is no command "documents burn"/],
      [["list", "--what"], /Unknown option '--what'/],
    ] as const) {
      const { code, stderr } = await run("", args);
      assert.equal(code, 2);
      assert.match(stderr, message);
    }
  });
});

/** A document as a server tells of it. */
function documentJson(state: string): string {
  const document = { id: "1", name: "a", state, error: null, sizeBytes: 1 };
  return JSON.stringify({ ...document, pagesRead: 0, pages: null, passages: 0 });
}

/** A server of a test, and a way to wait for its requests. */
async function serve(respond: RequestListener): Promise<{
  readonly url: string;
  requested(count: number): Promise<void>;
  close(): Promise<void>;
}> {
  let count = 0;
  let tell = (): void => {};
  const server = createServer((request, response) => {
    count += 1;
    respond(request, response);
    tell();
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    requested: async (wanted) =>
      await new Promise((resolve) => {
        tell = () => count >= wanted && resolve();
        tell();
      }),
    close: async () => await closeServer(server),
  };
}
