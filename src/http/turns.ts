/** Owns the routes of a turn that was started: its state, its stream from any position on, its stop. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { AppError, errorTable } from "../errors.ts";
import type { FollowedTurn } from "../live/live-turn.ts";
import type { LiveTurns } from "../live/live-turns.ts";
import { parse } from "../parse.ts";
import { toBody } from "../turn/body.ts";
import type { Caller, Clock } from "../turn/ports.ts";
import { toCaller, Uuid } from "./chat-request.ts";
import { followTurn } from "./follow-turn.ts";

/** How long the answer to a stop waits for the turn to be over. */
const stopWaitMs = 2_000;

const Params = z.object({ turnId: Uuid });
const Query = z.object({ userId: Uuid.or(z.literal("")).optional() });
/** A position, as a query or an event id says it; that of the end has a mark. */
const Position = z
  .string()
  .regex(/^\d{1,9}(?:\.end)?$/, "must be a position: the number of bytes that came")
  .transform((text) => ({ after: Number.parseInt(text, 10), hasEnd: text.endsWith(".end") }));
const StreamQuery = Query.extend({ after: Position.optional() });
const StreamHeaders = z.object({ "last-event-id": Position.optional() });

/** `GET /turns/:turnId`, `GET /turns/:turnId/stream` and `POST /turns/:turnId/stop`. Contract: docs/protocol.md. */
export function registerTurns(app: FastifyInstance, live: LiveTurns, clock: Clock): void {
  app.get("/turns/:turnId", async (request, reply) => {
    const turn = await findTurn(request, live);
    return reply.header("cache-control", "no-store").send(toState(turn));
  });

  app.get("/turns/:turnId/stream", async (request, reply) => {
    const query = parse(StreamQuery, request.query, "invalid_request");
    const { "last-event-id": last } = parse(StreamHeaders, request.headers, "invalid_request");
    const { after, hasEnd } = query.after ?? last ?? { after: 0, hasEnd: false };
    const turn = await findTurn(request, live);
    // Whoever has seen the end is not to ask again.
    if (hasEnd && turn.log.end !== undefined) return reply.code(204).send();
    await followTurn(turn, after, reply, clock);
  });

  app.post("/turns/:turnId/stop", async (request, reply) => {
    const turn = await findTurn(request, live);
    await turn.stop();
    await waitForEnd(turn, clock);
    // An owner that does not answer may be gone: its turn is then ended as interrupted.
    return reply
      .code(turn.log.end === undefined ? 202 : 200)
      .header("cache-control", "no-store")
      .send(toState(turn));
  });
}

/** @throws AppError `not_found` for a turn that is unknown or somebody else's. */
async function findTurn(request: FastifyRequest, live: LiveTurns): Promise<FollowedTurn> {
  const { turnId } = parse(Params, request.params, "invalid_request");
  const { userId } = parse(Query, request.query, "invalid_request");
  const caller: Caller = toCaller(userId, request.headers);
  const turn = await live.find(turnId, caller);
  if (turn === undefined)
    throw new AppError("not_found", `no turn ${turnId} of ${userId ?? "nobody"}`, {
      detail: "There is no such turn.",
    });
  return turn;
}

/** Resolves when the turn is over, or has been waited for long enough. */
async function waitForEnd(turn: FollowedTurn, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(stopWaitMs, resolve);
  const leave = turn.follow();
  await turn.log.until(() => turn.log.end !== undefined, promise);
  leave();
  timer.cancel();
}

/** Returns a turn as it is now. */
function toState({ id, log }: FollowedTurn): object {
  const { end, start, position } = log;
  const { plan, answer } = toBody(log.textAfter(0));
  return {
    id,
    conversationId: start?.conversationId ?? null,
    status: end?.outcome ?? "running",
    plan,
    answer: answer ?? null,
    position,
    finishReason: end?.finishReason ?? null,
    usage: end?.usage ?? null,
    error:
      end?.error === undefined
        ? null
        : { code: end.error.code, message: errorTable[end.error.code].publicMessage },
    storage: end?.storage ?? null,
  };
}
