/** A command's connection to the running server, by the control socket in `DATA_DIR`. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import { socketName, withShortPath } from "./control-path.ts";
import type { ControlRequest } from "./control-socket.ts";

const Response = z.object({ result: z.unknown().optional(), error: z.string().optional() });

/** The server has ended, or refuses a request. */
export class ControlError extends Error {
  override readonly name = "ControlError";
}

/** A connection. Its requests are sent one after the other. */
export class ControlClient {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const lines = createInterface({ input: socket });
    socket.once("close", () => lines.close());
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** Connects to the server of `dataDir`; `undefined` if none runs. */
  static async connect(dataDir: string): Promise<ControlClient | undefined> {
    return await withShortPath(dataDir, async (folder) => {
      const socket = connect(join(folder, socketName));
      try {
        await once(socket, "connect");
      } catch {
        return undefined;
      }
      socket.on("error", () => {}); // the next request reports the end of the lines
      return new ControlClient(socket);
    });
  }

  /**
   * Resolves with the result of a request.
   * @throws ControlError if the server refuses it, or ends; the signal's reason once aborted.
   */
  async request(request: ControlRequest, signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    const end = (): void => void this.#socket.destroy();
    signal.addEventListener("abort", end, { once: true });
    this.#socket.write(`${request}\n`);
    const line = await this.#lines.next().catch(() => ({ done: true, value: "" }) as const);
    signal.removeEventListener("abort", end);
    signal.throwIfAborted();
    if (line.done === true) throw new ControlError("the server has ended");
    const { result, error } = Response.parse(parseJson(line.value));
    if (error !== undefined) throw new ControlError(error);
    return result;
  }

  /** Ends the connection, and what the server does for it. */
  close(): void {
    this.#socket.destroy();
  }
}
