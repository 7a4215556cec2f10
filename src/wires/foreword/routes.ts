/** Foreword's own routes: start a turn, get its state, follow it, stop it, approve its calls. */
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import type { Caller } from "../../base/caller.ts";
import type { Clock } from "../../base/clock.ts";
import { awaitTurn, followTurn } from "../../http/turns/follow-turn.ts";
import { startTurn, type TurnStarter } from "../../http/turns/start-turn.ts";
import type { ModelChoice } from "../../http/model-choice.ts";
import { sendProblem } from "../../http/problem.ts";
import { TurnHeaders, UserQuery, Uuid } from "../../http/request-fields.ts";
import { defineRoute, defineRoutes, startErrors, storeErrors, turnErrors } from "../../http/route.ts";
import { stopTurns } from "../../http/turns/stop-turn.ts";
import { toTurnState } from "../../http/turns/turn-state.ts";
import type { FollowedTurn } from "../../live/live-turn.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import { ApprovalsBody, toAnswers } from "./approvals-request.ts";
import { ChatBody, toChatTurn } from "./chat-request.ts";
import { eventStream } from "./event-stream.ts";
import { plainText } from "./plain-text.ts";

/** The services of these routes. */
export interface TurnServices extends TurnStarter {
  readonly clock: Clock;
  readonly choice: ModelChoice;
}

const wireNames = { "text/plain": "text", "text/event-stream": "sse", "application/json": "json" } as const;
const streamWires = { "text/plain": plainText, "text/event-stream": eventStream } as const;

const TurnParams = z.object({ turnId: Uuid.describe("The turn's id.") });

/** A position or an event id: an item's has an ordinal, `36.1`; that of the end has a mark, `36.end`. */
const EventId = z
  .string()
  .regex(/^\d{1,9}(?:\.(?:end|\d{1,9}))?$/, "must be a position (the bytes received so far) or an event id")
  .transform((text) => {
    const [position = "", rest = "0"] = text.split(".");
    const hasEnd = rest === "end";
    return { after: { position: Number(position), ordinal: hasEnd ? 0 : Number(rest) }, hasEnd };
  });

const StreamQuery = UserQuery.extend({
  after: EventId.optional().describe(
    "How many bytes of the reply the client has, or the id of the last event that it received.",
  ),
});

const StreamHeaders = z.object({
  "last-event-id": EventId.optional().describe(
    "The id of the last event that the client received. Overrides `after`.",
  ),
});

const startTurnRoute = defineRoute({
  method: "POST",
  path: "/stream-chat",
  offers: ["text/plain", "text/event-stream", "application/json"],
  headers: TurnHeaders,
  body: ChatBody,
  startsTurn: true,
  continuesChats: true,
  errors: [
    ...startErrors,
    ...turnErrors,
    ...storeErrors,
    "not_acceptable",
    "message_not_found",
    "turn_running",
  ],
  handle: async ({ type, body, headers, identity, request, reply }, services: TurnServices) => {
    const requested = toChatTurn(body, headers, identity);
    const model = services.choice.readField(body.model, { identity, caller: requested.caller });
    // Plain text shows neither calls nor requests for approval.
    const { serverTools = type === "text/plain" ? "read" : "all" } = requested;
    const wire = wireNames[type];
    const turn = await startTurn(services, { ...requested, model, serverTools, wire }, request, reply);
    if (type === "application/json") return await sendWhole(turn, reply);
    return await followTurn(turn, reply, { wire: streamWires[type], clock: services.clock });
  },
});

const getTurn = defineRoute({
  method: "GET",
  path: "/turns/:turnId",
  params: TurnParams,
  query: UserQuery,
  errors: ["not_found", "server_stopping", ...storeErrors],
  handle: async ({ params, caller, reply }, { live }: TurnServices) =>
    reply.send(toTurnState(await findTurn(live, params.turnId, caller))),
});

const followTurnRoute = defineRoute({
  method: "GET",
  path: "/turns/:turnId/stream",
  offers: ["text/plain", "text/event-stream"],
  params: TurnParams,
  query: StreamQuery,
  headers: StreamHeaders,
  hasHead: false, // a HEAD would follow the turn to its end
  servesEventSource: true,
  errors: ["not_found", "not_acceptable", "server_stopping", ...turnErrors, ...storeErrors],
  handle: async ({ type, params, query, headers, caller, reply }, { live, clock }: TurnServices) => {
    // An EventSource reconnects with its first URL, so the header is newer.
    const { after, hasEnd } = headers["last-event-id"] ?? query.after ?? { after: undefined, hasEnd: false };
    const turn = await findTurn(live, params.turnId, caller);
    // A client that has seen the end must not connect again. One that saw the turn end as interrupted still
    // gets the text that the late end of the turn's process added.
    const hasAll = hasEnd && after !== undefined && after.position >= turn.log.position;
    if (hasAll && turn.log.end !== undefined) return reply.code(204).send();
    return await followTurn(turn, reply, { wire: streamWires[type], clock, after });
  },
});

const stopTurn = defineRoute({
  method: "POST",
  path: "/turns/:turnId/stop",
  params: TurnParams,
  query: UserQuery,
  body: "ignored",
  errors: ["not_found", "server_stopping", ...storeErrors],
  handle: async ({ params, caller, reply }, { live, clock }: TurnServices) =>
    await stopTurns([await findTurn(live, params.turnId, caller)], reply, clock),
});

const answerApprovals = defineRoute({
  method: "POST",
  path: "/turns/:turnId/approvals",
  params: TurnParams,
  query: UserQuery,
  body: ApprovalsBody,
  errors: [
    "not_found",
    "turn_not_waiting",
    "approval_not_found",
    "approval_settled",
    "approval_expired",
    "server_stopping",
    ...storeErrors,
  ],
  handle: async ({ params, body, caller, reply }, { live }: TurnServices) =>
    reply.send(toTurnState(await live.answerApprovals(params.turnId, caller, toAnswers(body)))),
});

/** `POST /stream-chat` and `/turns/:turnId`. Contract: docs/protocol.md. */
export const forewordRoutes = defineRoutes({
  tag: "Turns",
  routes: { startTurn: startTurnRoute, getTurn, followTurn: followTurnRoute, stopTurn, answerApprovals },
  describe: async () => (await import("./operations.ts")).forewordDescription,
});

/** Responds once the turn has ended. A reply that failed is a problem with the state of the turn. */
async function sendWhole(turn: FollowedTurn, reply: FastifyReply): Promise<FastifyReply | undefined> {
  const end = await awaitTurn(turn, reply, false);
  if (end === undefined) return undefined;
  if (end.type === "turn-waiting" || end.error === undefined) return reply.send(toTurnState(turn));
  const { code, retryAfterMs } = end.error;
  return sendProblem(reply, new AppError(code, "the reply was cut off", { retryAfterMs }), {
    turn: toTurnState(turn),
  });
}

/** @throws AppError `not_found` for an unknown turn or another user's. */
async function findTurn(live: LiveTurns, turnId: string, caller: Caller): Promise<FollowedTurn> {
  const turn = await live.find(turnId, caller);
  if (turn !== undefined) return turn;
  throw new AppError("not_found", `no turn ${turnId} of ${caller.userId ?? "an unnamed user"}`, {
    detail: "The turn was not found.",
  });
}
