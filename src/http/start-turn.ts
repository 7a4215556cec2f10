/** Owns how a route starts the turn that its request asks for, whatever wire it speaks. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { FollowedTurn } from "../live/live-turn.ts";
import type { LiveTurns } from "../live/live-turns.ts";
import type { TurnRequest } from "../turn/turn-request.ts";
import type { Limits } from "./limits.ts";

/** What turns are started with. */
export interface TurnStarter {
  readonly live: LiveTurns;
  readonly limits: Limits;
}

/**
 * Starts the turn that `asked` describes, as far as its user's limits allow, or finds the one that was started under its key.
 * @throws AppError as {@link Limits.allow} and {@link LiveTurns.start} do.
 */
export async function startTurn(
  { live, limits }: TurnStarter,
  asked: TurnRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FollowedTurn> {
  const { turn, isReplay } = await live.start({ ...limits.allow(request, asked), requestId: request.id });
  if (isReplay) void reply.header("idempotency-replayed", "true");
  return turn;
}
