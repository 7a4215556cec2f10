/** Owns `POST /stream-chat`, the old service's route: a turn, as plain text, as typed events, or as one object. */
import type { FastifyInstance, FastifyReply } from "fastify";
import { AppError } from "../../base/errors.ts";
import type { FollowedTurn } from "../../live/live-turn.ts";
import type { Clock } from "../../base/clock.ts";
import { eventStream } from "./event-stream.ts";
import { plainText } from "./plain-text.ts";
import { toTurnState, type TurnState } from "./turn-state.ts";
import { chooseType } from "../../http/accept.ts";
import { identityOf } from "../../http/authentication.ts";
import { parseChatRequest } from "./chat-request.ts";
import { awaitTurn, followTurn } from "../../http/follow-turn.ts";
import { sendProblem } from "../../http/problem.ts";
import { startTurn, type TurnStarter } from "../../http/start-turn.ts";

/** What our own routes stream, by media type; plain text for who does not mind. */
export const streamWires = { "text/plain": plainText, "text/event-stream": eventStream } as const;

/** Answers with plan, boundary and answer as they come. Contract: docs/protocol.md. */
export function registerStreamChat(app: FastifyInstance, starter: TurnStarter, clock: Clock): void {
  app.post("/stream-chat", async (request, reply) => {
    const type = chooseType(["text/plain", "text/event-stream", "application/json"], reply);
    const asked = parseChatRequest(request.body, request.headers, identityOf(request));
    const turn = await startTurn(starter, asked, request, reply);
    if (type !== "application/json") return await followTurn(turn, reply, { wire: streamWires[type], clock });
    return await sendWhole(turn, reply);
  });
}

/** Returns a turn as it is now. */
export function toState({ id, log }: FollowedTurn): TurnState {
  return toTurnState(id, log.start, log.textAfter(0), log.end);
}

/** Answers once the turn is over; what is not complete, nor was stopped, is a problem that says how far it came. */
async function sendWhole(turn: FollowedTurn, reply: FastifyReply): Promise<FastifyReply | undefined> {
  const end = await awaitTurn(turn, reply, false);
  if (end === undefined) return undefined;
  if (end.error === undefined) return reply.send(toState(turn));
  const { code, retryAfterMs } = end.error;
  return sendProblem(reply, new AppError(code, "the reply broke off", { retryAfterMs }), {
    turn: toState(turn),
  });
}
