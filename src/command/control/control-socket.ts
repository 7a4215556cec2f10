/**
 * The control socket: a Unix socket in `DATA_DIR` by which commands of this user reach the running server. A
 * request is a line, and so is its response, as JSON: `{"result":…}` or `{"error":"…"}`.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, rename, rm, stat } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { Semaphore } from "../../base/semaphore.ts";
import type { MetricsSnapshot } from "../../observe/metrics/metrics.ts";
import { makeFolder } from "../../store/data-folder.ts";
import type { FolderCopying } from "../../store/database/database.ts";
import { socketName, withShortPath } from "./control-path.ts";

const maxConnections = 20;

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
  let hasCopy = false;
  const over = Promise.withResolvers<void>();
  const run = async (request: string): Promise<unknown> => {
    switch (request) {
      case "metrics":
        return await options.readMetrics();
      case "copy-start":
        if (options.copying === undefined) throw new Error("the server has no embedded database");
        await enter(copies, over.promise);
        hasCopy = true;
        await options.copying.start();
        return null;
      case "copy-end":
        return await options.copying?.end();
      default:
        throw new Error(`the server does not know "${request}": both must be of the same build`);
    }
  };
  socket.on("error", () => {}); // the command has gone
  const lines = createInterface({ input: socket });
  socket.once("close", () => lines.close());
  try {
    for await (const line of lines) {
      const response = await run(line).then(
        (result) => ({ result }),
        (error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }),
      );
      if (socket.writable) socket.write(`${JSON.stringify(response)}\n`);
    }
  } catch {
    // The command has gone.
  }
  if (hasCopy) await options.copying?.release().catch(() => {}); // the server is closing
  over.resolve();
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
