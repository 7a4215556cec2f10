/** Stops turns, on whichever wire the request came. */
import type { FastifyReply } from "fastify";
import type { Caller } from "../../base/caller.ts";
import type { Clock } from "../../base/clock.ts";
import { untilLast, type FollowedTurn } from "../../live/live-turn.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import type { ChatPlace } from "../../turn/records.ts";
import type { Content, DocumentedResponse } from "../description/description.ts";
import { toTurnState, TurnStateSchema } from "./turn-state.ts";

/** How long the response to a stop waits for the turn to end, in milliseconds. */
const stopWaitMs = 2_000;

/**
 * Stops `turns`; resolves with whether all have ended. The process that runs one of them may be gone, and has
 * not confirmed its end in time then.
 */
export async function stopAndWait(turns: readonly FollowedTurn[], clock: Clock): Promise<boolean> {
  await Promise.all(
    turns.map(async (each) => {
      await each.stop();
      await untilLast(each, clock, stopWaitMs);
    }),
  );
  return turns.every(({ log }) => log.end !== undefined);
}

/** Stops `turns` and responds with the state of the first: with 200, or with 202 if not all have ended. */
export async function stopTurns(
  turns: readonly [FollowedTurn, ...FollowedTurn[]],
  reply: FastifyReply,
  clock: Clock,
): Promise<FastifyReply> {
  const hasEnded = await stopAndWait(turns, clock);
  return reply.code(hasEnded ? 200 : 202).send(toTurnState(turns[0]));
}

/** Stops all running turns of `caller` in a chat, and responds as {@link stopTurns} does; 204 for none. */
export async function stopChat(
  { live, clock }: { readonly live: LiveTurns; readonly clock: Clock },
  chat: ChatPlace,
  caller: Caller,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const [newest, ...others] = await live.stopChat(chat, caller);
  return newest === undefined ? reply.code(204).send() : await stopTurns([newest, ...others], reply, clock);
}

/** Returns the API description of the responses of {@link stopTurns}. */
export function toStopResponses(): readonly DocumentedResponse[] {
  const content: Readonly<Record<string, Content>> = {
    "application/json": { type: "json", schema: TurnStateSchema() },
  };
  return [
    { status: 200, description: "The stopped turn.", content },
    {
      status: 202,
      description: "The turn. The process that runs it has not confirmed its end in time.",
      content,
    },
  ];
}
