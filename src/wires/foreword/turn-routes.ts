/** Owns the routes of a turn that was started: its state, its stream from any position on, its stop. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import type { FollowedTurn } from "../../live/live-turn.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import { parse } from "../../base/parse.ts";
import type { Clock } from "../../base/clock.ts";
import { chooseType } from "../../http/accept.ts";
import { callerOf } from "../../http/authentication.ts";
import { followTurn } from "../../http/follow-turn.ts";
import { UserQuery, Uuid } from "../../http/request-fields.ts";
import { streamWires, toState } from "./routes.ts";

/** How long the answer to a stop waits for the turn to be over. */
const stopWaitMs = 2_000;

/** The turn that an address names. */
export const TurnParams = z.object({ turnId: Uuid.describe("The turn's id.") });
/** A position, as a query or an event id says it; that of the end has a mark. */
const Position = z
  .string()
  .regex(/^\d{1,9}(?:\.end)?$/, "must be a position: the number of bytes that came")
  .transform((text) => ({ after: Number.parseInt(text, 10), hasEnd: text.endsWith(".end") }));
/** From where on a reply is followed. */
export const StreamQuery = UserQuery.extend({
  after: Position.optional().describe("How many bytes of the reply the client has."),
});
/** The same, as an `EventSource` says it. */
export const StreamHeaders = z.object({
  "last-event-id": Position.optional().describe(
    "The id of the last event that came: it goes before `after`.",
  ),
});

/** `GET /turns/:turnId`, `GET /turns/:turnId/stream` and `POST /turns/:turnId/stop`. Contract: docs/protocol.md. */
export function registerTurns(app: FastifyInstance, live: LiveTurns, clock: Clock): void {
  app.get("/turns/:turnId", async (request, reply) => {
    const turn = await findTurn(request, live);
    return reply.send(toState(turn));
  });

  // A HEAD would follow the turn to its end.
  app.get("/turns/:turnId/stream", { exposeHeadRoute: false }, async (request, reply) => {
    const query = parse(StreamQuery, request.query, "invalid_request");
    const { "last-event-id": last } = parse(StreamHeaders, request.headers, "invalid_request");
    const type = chooseType(["text/plain", "text/event-stream"], reply);
    // An EventSource keeps its address: what it says of itself is newer.
    const { after, hasEnd } = last ?? query.after ?? { after: undefined, hasEnd: false };
    const turn = await findTurn(request, live);
    // Whoever has seen the end is not to ask again.
    // A client that was told the turn was interrupted gets the text that its owner's late end added.
    const hasAll = hasEnd && after !== undefined && after >= turn.log.position;
    if (hasAll && turn.log.end !== undefined) return reply.code(204).send();
    return await followTurn(turn, reply, { wire: streamWires[type], clock, after });
  });

  app.post("/turns/:turnId/stop", { config: { body: "ignored" } }, async (request, reply) => {
    const turn = await findTurn(request, live);
    return await stopTurn(turn, reply, clock);
  });
}

/** @throws AppError `not_found` for a turn that is unknown or somebody else's. */
async function findTurn(request: FastifyRequest, live: LiveTurns): Promise<FollowedTurn> {
  const { turnId } = parse(TurnParams, request.params, "invalid_request");
  const caller = callerOf(request);
  const turn = await live.find(turnId, caller);
  if (turn === undefined)
    throw new AppError("not_found", `no turn ${turnId} of ${caller.userId ?? "nobody"}`, {
      detail: "The turn was not found.",
    });
  return turn;
}

/** Stops a turn, and `others` with it, and answers with it: 202 if an owner, which may be gone, has not said so in time. */
export async function stopTurn(
  turn: FollowedTurn,
  reply: FastifyReply,
  clock: Clock,
  others: readonly FollowedTurn[] = [],
): Promise<FastifyReply> {
  const turns = [turn, ...others];
  await Promise.all(
    turns.map(async (each) => {
      await each.stop();
      await waitForEnd(each, clock);
    }),
  );
  const isOver = turns.every(({ log }) => log.end !== undefined);
  return reply.code(isOver ? 200 : 202).send(toState(turn));
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
