/** Owns `POST /stream-chat`, the old service's route. */
import type { FastifyInstance } from "fastify";
import { AppError } from "../errors.ts";
import type { LiveTurns } from "../live/live-turns.ts";
import type { Clock } from "../turn/ports.ts";
import { parseChatRequest } from "./chat-request.ts";
import { followTurn } from "./follow-turn.ts";

/** Answers with plan, boundary and answer as they come. Contract: docs/protocol.md. */
export function registerStreamChat(app: FastifyInstance, live: LiveTurns, clock: Clock): void {
  app.post("/stream-chat", async (request, reply) => {
    if (live.isDraining) throw new AppError("server_stopping", "draining");
    const turn = live.start(parseChatRequest(request.body, request.headers));
    await followTurn(turn, reply, clock);
  });
}
