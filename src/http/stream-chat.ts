/** Owns `POST /stream-chat`, the old service's route. */
import type { FastifyInstance } from "fastify";
import type { LiveTurns } from "../live/live-turns.ts";
import type { Clock } from "../turn/ports.ts";
import { parseChatRequest } from "./chat-request.ts";
import { followTurn } from "./follow-turn.ts";

/** Answers with plan, boundary and answer as they come. Contract: docs/protocol.md. */
export function registerStreamChat(app: FastifyInstance, live: LiveTurns, clock: Clock): void {
  app.post("/stream-chat", async (request, reply) => {
    const { turn, isReplay } = await live.start(parseChatRequest(request.body, request.headers));
    if (isReplay) void reply.header("idempotency-replayed", "true");
    await followTurn(turn, 0, reply, clock);
  });
}
