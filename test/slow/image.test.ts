/** The image is built, and serves from a read-only container. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { z } from "zod";
import { useCommands } from "../command/run-command.ts";
import { useResource } from "../support/apps/use-app.ts";
import { makePdf } from "../support/documents/make-pdf.ts";
import { diskFolder } from "../support/process/temporary-folder.ts";
import { Image, withoutBuilder } from "./container.ts";

/** The server may be used by everyone, on a free port. */
const open = { ALLOW_UNAUTHENTICATED: "true", PORT: "0" };
const maxAddedBytes = 200 * 1_000_000;
const Ready = z.object({ status: z.string(), parts: z.object({ store: z.object({ status: z.string() }) }) });

describe("the image", { timeout: 900_000, skip: withoutBuilder }, () => {
  let image: Image;
  useResource(async (closing) => {
    const folder = await mkdtemp(join(diskFolder, "foreword-image-"));
    closing.defer(() => rm(folder, { recursive: true, force: true }));
    image = closing.adopt(new Image(folder), (made) => made.close());
    await image.build();
  });
  const startCommand = useCommands();

  /** Starts a container; the commands to it run outside of it. */
  async function start(...options: Parameters<Image["prepare"]>) {
    const container = await image.prepare(...options);
    const [program = "", ...args] = container.start;
    // As a group: a change of the user frees process 1 from ending with `unshare`.
    return { container, command: startCommand(args, {}, "/", [program], true) };
  }

  /** Starts a server; resolves once it listens. */
  async function serve(variables: Readonly<Record<string, string>> = {}) {
    const started = performance.now();
    const { container, command } = await start({ ...open, ...variables });
    const [, port = ""] = await command.printed(/listening +http:\S+:(\d+)\n[^]*try .*\n/);
    const startMs = performance.now() - started;
    return { container, command, startMs, port, address: `http://127.0.0.1:${port}` };
  }

  /** Resolves with a container's output, once it has ended well. */
  async function runIn(...options: Parameters<Image["prepare"]>): Promise<string> {
    const { command } = await start(...options);
    assert.equal(await command.exit(), 0, command.stderr);
    return command.stdout;
  }

  test("adds at most 200 MB to its base", (context) => {
    context.diagnostic(`figure: the image adds ${Math.round(image.addedBytes / 1_000_000)} MB to its base`);
    assert.ok(image.addedBytes <= maxAddedBytes, `${image.addedBytes}`);
  });

  test("keeps the settings of the Dockerfile", () => {
    const { User, Volumes, ExposedPorts, Healthcheck, Entrypoint, Cmd } = image.config;
    assert.deepEqual(
      [User, Object.keys(Volumes), Object.keys(ExposedPorts)],
      ["10001:10001", ["/data"], ["8000/tcp"]],
    );
    assert.deepEqual([...Entrypoint, ...Cmd], ["node", "dist/main.js", "serve"]);
    assert.equal(Healthcheck.Test[0], "CMD");
  });

  test("does not start without AUTH or ALLOW_UNAUTHENTICATED, and says so", async () => {
    const { command } = await start({ PORT: "0" });
    assert.equal(await command.exit(), 1);
    assert.match(command.stderr, /HOST is public but AUTH=none/);
  });

  test("serves turns, the page and documents, is backed up and imported, passes its health check, and ends on SIGTERM", async (context) => {
    const { container, command, address, port, startMs } = await serve();
    context.diagnostic(`figure: the first start takes ${Math.round(startMs)} ms`);
    const ready = Ready.parse(await (await fetch(`${address}/readyz`)).json());
    assert.deepEqual(ready.parts.store, { status: "ok" });
    const reply = await fetch(`${address}/stream-chat`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ sender: "user", text: "Hello" }] }),
    });
    assert.match(await reply.text(), /\n---RESPONSE---\n/);
    const page = await (await fetch(address, { headers: { accept: "text/html" } })).text();
    const [, asset = ""] = /src="\.?\/?(assets\/[^"]+\.js)"/.exec(page) ?? [];
    assert.equal((await fetch(`${address}/${asset}`)).status, 200, page);
    assert.deepEqual((await readdir(container.data)).toSorted(), ["control.sock", "database", "journal"]);
    await writeFile(join(container.data, "notes.pdf"), makePdf([[{ text: "A note", x: 50, y: 700 }]]), {
      mode: 0o644,
    });
    const add = ["documents", "add", "/data/notes.pdf", "--knowledge-base", "notes", "--url", address];
    await runIn({}, add, image.config.Entrypoint, container.data);
    await runIn(open, ["backup", "/data/chats.ndjson.gz"], image.config.Entrypoint, container.data);
    const other = { HOST: "127.0.0.1", DATA_DIR: "/data/other" };
    await runIn(other, ["import", "/data/chats.ndjson.gz"], image.config.Entrypoint, container.data);
    const [, ...check] = image.config.Healthcheck.Test;
    await runIn({ PORT: port }, check, []);
    await assert.rejects(runIn({ PORT: "1" }, check, []));
    await container.kill("SIGTERM");
    assert.equal(await command.exit(), 0, command.stderr);
  });

  test("runs as a user other than root who can write to /data and /tmp only", async () => {
    const script =
      "id -u; for place in / /app /app/dist /app/node_modules/.cache/foreword /etc /usr /data /tmp; do touch $place/new 2> /dev/null && echo $place; done; true";
    assert.equal(await runIn({}, ["-c", script], ["sh"]), "10001\n/data\n/tmp\n");
  });

  test("holds neither tests, sources, secrets, nor packages for development", async () => {
    const names = await runIn({}, ["-A", "/app"], ["ls"]);
    const expected = ["LICENSE", "dist", "node_modules", "package.json", "supabase_schema.sql", "web"];
    assert.deepEqual(names.trim().split("\n").toSorted(), expected);
    const packages = (await runIn({}, ["-A", "/app/node_modules"], ["ls"])).split("\n");
    for (const name of ["typescript", "vite", "node", "playwright-core", "rolldown"])
      assert.ok(!packages.includes(name), name);
  });
});
