/** The measured servers, and how each is started. */
import { join } from "node:path";
import { openPostgres, type BenchDatabase } from "./databases.ts";
import { ownCheckout, type Checkout } from "./checkout.ts";
import { startForeword, type RunningServer } from "./foreword.ts";
import { makeTemporaryFolder } from "../clean-up.ts";
import { findInstalled } from "./installed.ts";
import { Program, toPath } from "../program.ts";
import type { BodyKind } from "../load/script.ts";

/** The peers that can be chosen. */
export const peerNames = [
  "raw-passthrough",
  "raw-parse",
  "fastify-openai",
  "ai-sdk",
  "mastra",
  "foreword",
  "foreword-postgres",
] as const;

/** This checkout's Foreword with its embedded database, and with Postgres beside it. */
export const forewordPeers = ["foreword", "foreword-postgres"] as const;
export type ForewordPeer = (typeof forewordPeers)[number];

/** The same of the other checkout. */
export const counterparts = { foreword: "against", "foreword-postgres": "against-postgres" } as const;

/** Any of the servers. */
export type PeerName = (typeof peerNames)[number] | (typeof counterparts)[ForewordPeer];

/** The peer with which all others are compared, and the one that only passes bytes on. */
export const yardstick = "raw-parse";
export const rawPeers = [yardstick, "raw-passthrough"] as const;

/** Returns the kind of body that a peer sends. */
export function toBodyKind(peer: PeerName): BodyKind {
  switch (peer) {
    case "raw-passthrough":
      return "events";
    case "raw-parse":
    case "fastify-openai":
    case "ai-sdk":
    case "mastra":
      return "text";
    case "foreword":
    case "foreword-postgres":
    case "against":
    case "against-postgres":
      return "plan";
  }
}

/** Whether a peer is Foreword, of either checkout, with Postgres or with its embedded database. */
export function isForewordPeer(peer: PeerName): boolean {
  return toBodyKind(peer) === "plan";
}
export function isOnPostgres(peer: PeerName): boolean {
  return peer === "foreword-postgres" || peer === "against-postgres";
}

/** Returns the checkout of a peer. @throws Error if there is no other one. */
export function toCheckout(peer: PeerName, against: Checkout | undefined): Checkout {
  if (peer !== "against" && peer !== "against-postgres") return ownCheckout;
  if (against === undefined) throw new Error(`${peer} needs --against`);
  return against;
}

/** The databases of peers on Postgres, which live as long as the bench, by the root of their checkout. */
const databases = new Map<string, Promise<BenchDatabase>>();

/** Resolves with the database of a peer on Postgres; `undefined` for any other peer. */
export async function findDatabase(
  peer: PeerName,
  against: Checkout | undefined,
): Promise<BenchDatabase | undefined> {
  if (!isOnPostgres(peer)) return undefined;
  const { root } = toCheckout(peer, against);
  const opening = databases.get(root) ?? openPostgres({ root });
  databases.set(root, opening);
  return await opening;
}

/** How to start a peer. */
export interface PeerOptions {
  readonly upstreamUrl: string;
  /** Precedes its command. */
  readonly prefix: readonly string[];
  readonly nodeOptions?: readonly string[];
  /** Environment variables of Foreword. */
  readonly variables?: Readonly<Record<string, string>> | undefined;
  /** The database of a Foreword on Postgres, instead of the one that all its runs share. */
  readonly database?: BenchDatabase | undefined;
  readonly against: Checkout | undefined;
}

/** Starts a peer; resolves once it listens. */
export async function startPeer(peer: PeerName, options: PeerOptions): Promise<RunningServer> {
  const { upstreamUrl, prefix, nodeOptions, against } = options;
  if (isForewordPeer(peer)) {
    const database = options.database ?? (await findDatabase(peer, against));
    const variables = { ...database?.variables, ...options.variables };
    const checkout = toCheckout(peer, against);
    return await startForeword({ upstreamUrl, prefix, nodeOptions, checkout, variables });
  }
  const file = peer === "mastra" ? join(await findInstalled(peer), "main.ts") : toPath(`peers/${peer}.ts`);
  const folder = await makeTemporaryFolder();
  const program = new Program({
    args: [file],
    prefix,
    nodeOptions,
    variables: { UPSTREAM_URL: `${upstreamUrl}/v1`, NODE_ENV: "production", MASTRA_TELEMETRY_DISABLED: "1" },
    folder: folder.path,
  });
  const close = async (): Promise<void> => {
    await program.kill();
    await folder.remove();
  };
  return { url: await program.listening(), program, close };
}
