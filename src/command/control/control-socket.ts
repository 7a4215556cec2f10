/**
 * The control socket: a Unix socket in `DATA_DIR` by which commands of this user reach the running server. A
 * request is a line, and so is its response, as JSON: `{"result":…}` or `{"error":"…"}`.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, rename, rm, stat } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { basename, join } from "node:path";
import { Semaphore } from "../../base/semaphore.ts";
import type { MetricsSnapshot } from "../../observe/metrics/metrics.ts";
import { makeFolder } from "../../store/data-folder.ts";
import type { FolderCopying } from "../../store/database/database.ts";
import { socketName, withShortPath } from "./control-path.ts";

const maxConnections = 20;
/** The longest request, in UTF-16 code units. */
const maxRequestLength = 100;

/** A request. */
export type ControlRequest = "metrics" | "copy-start" | "copy-end";

/** The parts of a server that commands use. */
export interface ControlOptions {
  readonly dataDir: string;
  readonly readMetrics: () => Promise<MetricsSnapshot>;
  /** Lets commands copy the embedded database; `undefined` without one. */
  readonly copying: FolderCopying | undefined;
}

/** Listens until closed. */
export class ControlSocket {
  readonly #server: Server;
  readonly #path: string;
  readonly #inode: number;

  private constructor(server: Server, path: string, inode: number) {
    this.#server = server;
    this.#path = path;
    this.#inode = inode;
  }

  /**
   * Listens in `dataDir`, for its own user alone. The socket takes the place of an earlier server's: commands
   * reach the newest server of a folder.
   * @throws Node's error if that fails.
   */
  static async open(options: ControlOptions): Promise<ControlSocket> {
    const { dataDir } = options;
    makeFolder(dataDir);
    const copies = new Semaphore(1);
    const server = createServer((socket) => void respond(socket, options, copies));
    server.maxConnections = maxConnections;
    const path = join(dataDir, socketName);
    // Under its own name it is reachable at once, and no closing server deletes it.
    const draft = join(dataDir, `new-${randomBytes(4).toString("hex")}.sock`);
    try {
      await withShortPath(dataDir, async (folder) => {
        server.listen(join(folder, basename(draft)));
        await once(server, "listening"); // rejects with its error
      });
      await chmod(draft, 0o600);
      const { ino } = await stat(draft);
      await rename(draft, path);
      return new ControlSocket(server, path, ino);
    } catch (error) {
      server.close();
      throw error;
    }
  }

  /** Stops listening; connections that are open end with their commands, or with this process. */
  async close(): Promise<void> {
    this.#server.close();
    const found = await stat(this.#path).catch(() => undefined);
    if (found?.ino === this.#inode) await rm(this.#path, { force: true });
  }
}

/**
 * Responds to the requests of one connection, which has its copy until it ends. A copy that begins meanwhile,
 * after a command was killed, waits.
 */
async function respond(socket: Socket, options: ControlOptions, copies: Semaphore): Promise<void> {
  const { readMetrics, copying } = options;
  let hasCopy = false;
  const over = Promise.withResolvers<void>();
  const run = async (request: string): Promise<unknown> => {
    switch (request) {
      case "metrics":
        return await readMetrics();
      case "copy-start":
        if (copying === undefined) throw new Error("the server has no embedded database");
        if (hasCopy) throw new Error("this command is making a copy already");
        await enter(copies, over.promise);
        hasCopy = true;
        await copying.start();
        return null;
      case "copy-end":
        if (!hasCopy) throw new Error("this command is making no copy");
        return await copying?.end();
      default:
        throw new Error(`the server does not know "${request}": both must be of the same build`);
    }
  };
  socket.on("error", () => {}); // the command has gone
  try {
    for await (const request of readRequests(socket)) {
      const response = await run(request).then(
        (result) => ({ result }),
        (error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }),
      );
      await write(socket, `${JSON.stringify(response)}\n`);
    }
  } catch {
    // The command has gone.
  }
  socket.destroy();
  if (hasCopy) await copying?.release().catch(() => {}); // the server is closing
  over.resolve();
}

/** Yields the lines that arrive, until there are no more, or one is too long. */
async function* readRequests(socket: Socket): AsyncGenerator<string> {
  let rest = "";
  for await (const text of socket.setEncoding("utf8")) {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.length > maxRequestLength) return;
      yield line;
    }
    if (rest.length > maxRequestLength) return;
  }
}

/** Resolves once a command may be sent more, or has gone: one that does not read gets nothing else. */
async function write(socket: Socket, text: string): Promise<void> {
  if (!socket.writable || socket.write(text)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("drain", resolve).once("close", resolve);
  await promise;
  socket.off("drain", resolve).off("close", resolve);
}

/** Resolves when it is its turn, which it has until `over`. */
async function enter(copies: Semaphore, over: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  void copies.run(async () => {
    resolve();
    await over;
  });
  await promise;
}
