/** Starts turns, on whichever wire the request came. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { FollowedTurn } from "../live/live-turn.ts";
import type { LiveTurns } from "../live/live-turns.ts";
import type { TurnRequest } from "../turn/turn-request.ts";
import type { Limits } from "./limits.ts";

/** The services of routes that start turns. */
export interface TurnStarter {
  readonly live: LiveTurns;
  readonly limits: Limits;
}

/**
 * Starts `turn` within its user's limits, or finds the turn that was started with its idempotency key.
 * @throws AppError as {@link Limits.allow} and {@link LiveTurns.start} do.
 */
export async function startTurn(
  { live, limits }: TurnStarter,
  requested: TurnRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FollowedTurn> {
  const { turn, isReplay } = await live.start({ ...limits.allow(request, requested), requestId: request.id });
  if (isReplay) void reply.header("idempotency-replayed", "true");
  return turn;
}
