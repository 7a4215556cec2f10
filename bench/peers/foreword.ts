/** Foreword as a peer: the real server with all features on, on its own store, which was opened before. */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { makeTemporaryFolder } from "../clean-up.ts";
import { Program } from "../program.ts";
import { chooseKnown, ownCheckout, type Checkout } from "./checkout.ts";

/** How to start a server. */
export interface ForewordOptions {
  readonly upstreamUrl: string;
  /** Its source; by default this checkout's. */
  readonly checkout?: Checkout;
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

/** Folders by the root of their checkout. */
const templates = new Map<string, Promise<string>>();

/** Resolves with a folder in which the embedded database was created and closed. */
async function makeTemplate(checkout: Checkout): Promise<string> {
  const folder = await makeTemporaryFolder();
  const dataDir = join(folder.path, "data");
  const first = await startForeword({ upstreamUrl: "http://127.0.0.1:9", checkout, dataDir });
  await first.program.stop();
  return dataDir;
}

/** Returns the folder of {@link makeTemplate}, created once for each checkout. */
export function findTemplate(checkout: Checkout = ownCheckout): Promise<string> {
  const making = templates.get(checkout.root) ?? makeTemplate(checkout);
  templates.set(checkout.root, making);
  return making;
}

/** Starts `foreword serve`; resolves once it listens. */
export async function startForeword(options: ForewordOptions): Promise<RunningServer> {
  const folder = await makeTemporaryFolder();
  const dataDir = options.dataDir ?? join(folder.path, "data");
  const { checkout = ownCheckout, variables = {} } = options;
  const isEmbedded = !("DATABASE_URL" in variables || "SUPABASE_URL" in variables);
  if (options.dataDir === undefined && isEmbedded)
    await cp(await findTemplate(checkout), dataDir, { recursive: true });
  const program = new Program({
    ...(options.by === "npm"
      ? { leader: "npm", args: ["start"], folder: checkout.root }
      : { args: [join(checkout.root, "src/main.ts"), "serve"], folder: folder.path }),
    ...(options.by === "node" && { leader: process.execPath }),
    prefix: options.prefix,
    nodeOptions: options.nodeOptions,
    variables: {
      PORT: "0",
      DATA_DIR: dataDir,
      OPENAI_BASE_URL: `${options.upstreamUrl}/v1`,
      OPENAI_MODEL: "bench",
      ...chooseKnown(checkout, variables),
    },
  });
  const url = await program.listening();
  const close = async (): Promise<void> => {
    await program.kill();
    await folder.remove();
  };
  return { url, program, close };
}
