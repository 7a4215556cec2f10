/** The measured servers, and how each is started. */
import { openPostgres, type BenchDatabase } from "./databases.ts";
import { startForeword, type RunningServer } from "./foreword.ts";
import { Program, toPath } from "../program.ts";
import { toProfileOptions } from "../report/profile.ts";
import type { BodyKind } from "../load/script.ts";

export const peerNames = [
  "raw-passthrough",
  "raw-parse",
  "fastify-openai",
  "ai-sdk",
  "foreword",
  "foreword-postgres",
] as const;
export type PeerName = (typeof peerNames)[number];

/** The database of `foreword-postgres`, which lives as long as the bench. */
let postgres: Promise<BenchDatabase> | undefined;

/** The peer with which all others are compared. */
export const yardstick: PeerName = "raw-parse";

/** Returns the kind of body that a peer sends. */
export function toBodyKind(peer: PeerName): BodyKind {
  switch (peer) {
    case "raw-passthrough":
      return "events";
    case "raw-parse":
    case "fastify-openai":
    case "ai-sdk":
      return "text";
    case "foreword":
    case "foreword-postgres":
      return "plan";
  }
}

/** Starts a peer; resolves once it listens. `prefix` precedes its command; only Foreword writes profiles. */
export async function startPeer(
  peer: PeerName,
  upstreamUrl: string,
  prefix: readonly string[],
  profileFolder?: string,
): Promise<RunningServer> {
  if (peer === "foreword" || peer === "foreword-postgres") {
    postgres ??= peer === "foreword" ? undefined : openPostgres();
    const variables = peer === "foreword" ? undefined : (await postgres)?.variables;
    return await startForeword({
      upstreamUrl,
      prefix,
      variables,
      nodeOptions: toProfileOptions(profileFolder),
    });
  }
  const program = new Program({
    args: [toPath(`peers/${peer}.ts`)],
    prefix,
    variables: { UPSTREAM_URL: `${upstreamUrl}/v1`, NODE_ENV: "production" },
  });
  return { url: await program.listening(), program, close: () => program.kill() };
}
