/** Foreword as a peer: the real server with all features on, on its own store, which was opened before. */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeTemporaryFolder } from "../clean-up.ts";
import { Program } from "../program.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = join(root, "src/main.ts");

/** How to start a server. */
export interface ForewordOptions {
  readonly upstreamUrl: string;
  readonly prefix?: readonly string[] | undefined;
  readonly nodeOptions?: readonly string[] | undefined;
  /** Starts it as users do, by `npm start` or by Node itself, without preloading anything of the bench. */
  readonly by?: "npm" | "node";
  /** Further environment variables, such as another store's. */
  readonly variables?: Readonly<Record<string, string>> | undefined;
  /** Its `DATA_DIR`; by default a copy of a folder with a ready embedded database. */
  readonly dataDir?: string | undefined;
}

/** A listening server. */
export interface RunningServer {
  readonly url: string;
  readonly program: Program;
  /** Kills it and removes its data. */
  close(): Promise<void>;
}

let template: Promise<string> | undefined;

/** Resolves with a folder in which the embedded database was created and closed. */
async function makeTemplate(): Promise<string> {
  const folder = await makeTemporaryFolder();
  const dataDir = join(folder.path, "data");
  const first = await startForeword({ upstreamUrl: "http://127.0.0.1:9", dataDir });
  await first.program.stop();
  return dataDir;
}

/** Returns the folder of {@link makeTemplate}, created once. */
export function findTemplate(): Promise<string> {
  template ??= makeTemplate();
  return template;
}

/** Starts `foreword serve`; resolves once it listens. */
export async function startForeword(options: ForewordOptions): Promise<RunningServer> {
  const folder = await makeTemporaryFolder();
  const dataDir = options.dataDir ?? join(folder.path, "data");
  const isEmbedded = options.variables === undefined;
  if (options.dataDir === undefined && isEmbedded)
    await cp(await findTemplate(), dataDir, { recursive: true });
  const program = new Program({
    ...(options.by === "npm"
      ? { leader: "npm", args: ["start"], folder: root }
      : { args: [main, "serve"], folder: folder.path }),
    ...(options.by === "node" && { leader: process.execPath }),
    prefix: options.prefix,
    nodeOptions: options.nodeOptions,
    variables: {
      PORT: "0",
      DATA_DIR: dataDir,
      OPENAI_BASE_URL: `${options.upstreamUrl}/v1`,
      OPENAI_MODEL: "bench",
      ...options.variables,
    },
  });
  const url = await program.listening();
  const close = async (): Promise<void> => {
    await program.kill();
    await folder.remove();
  };
  return { url, program, close };
}
