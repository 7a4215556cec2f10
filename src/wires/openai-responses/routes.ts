/** The routes of OpenAI's Responses API: create, get, stream again and cancel a response. */
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import { awaitTurn, followTurn } from "../../http/turns/follow-turn.ts";
import type { PathRows } from "../../history/path-rows.ts";
import { startTurn, type TurnStarter } from "../../http/turns/start-turn.ts";
import { stopAndWait } from "../../http/turns/stop-turn.ts";
import type { ModelChoice } from "../../http/model-choice.ts";
import { NamedUserQuery, toQueryCaller } from "../../http/openai/user-name.ts";
import { openAiErrors } from "../../http/openai/openai-error.ts";
import { TurnHeaders } from "../../http/request-fields.ts";
import { defineRoute, defineRoutes, startErrors, storeErrors, turnErrors } from "../../http/route.ts";
import { answerApprovals, hasApprovals } from "./approvals.ts";
import { readEcho } from "./echo.ts";
import { placeTurn } from "./request/placed-turn.ts";
import { toPlaceError } from "./request/references.ts";
import { ResponseBody, toRequestedResponse, type RequestedResponse } from "./request/request.ts";
import { findResponse, readResponse, toMissingResponse, type FoundResponse } from "./resource.ts";
import { toResponseStream } from "./output/stream.ts";

/** The services of these routes. */
export interface ResponsesServices extends TurnStarter {
  readonly clock: Clock;
  readonly choice: ModelChoice;
  /** `undefined` if nothing is stored. */
  readonly paths: PathRows | undefined;
}

const ResponseParams = z.object({
  id: z.string().max(512, "must be at most 512 characters").describe("The response's id."),
});

const ResponseQuery = NamedUserQuery.extend({
  stream: z
    .enum(["true", "false", ""], "must be true or false")
    .optional()
    .describe("Whether to stream the response from its start."),
  starting_after: z
    .string()
    .regex(/^\d{1,9}$/, "must be the sequence_number of an event")
    .transform(Number)
    .optional()
    .describe("With `stream`: the `sequence_number` of the last event that the client has."),
});

/**
 * A client can return to a stored response, so that it may leave: the turn goes on, unless `ON_DISCONNECT`
 * says otherwise. One that is not stored is stopped, unless it has a key.
 */
const createResponse = defineRoute({
  method: "POST",
  path: "/v1/responses",
  query: NamedUserQuery,
  headers: TurnHeaders,
  body: ResponseBody,
  startsTurn: true,
  continuesChats: true,
  takesUserName: true,
  errors: [
    ...startErrors,
    ...turnErrors,
    ...storeErrors,
    "turn_running",
    "not_found",
    "message_not_found",
    "previous_response_not_found",
    "history_off",
    "turn_not_waiting",
    "approval_not_found",
    "approval_settled",
    "approval_expired",
  ],
  handle: async ({ body, headers, query, identity, request, reply }, services: ResponsesServices) => {
    const requested = toRequestedResponse(body, headers, query, identity, services.choice);
    const { input, caller } = requested;
    if (hasApprovals(input)) {
      const found = await answerApprovals(services.live, input, caller);
      return await respond(found, requested, reply, services);
    }
    const placed = await placeTurn(requested.turn, input, services);
    const turn = await startTurn(services, { ...placed, wire: "openai-responses" }, request, reply).catch(
      (cause: unknown) => {
        throw toPlaceError(cause, input);
      },
    );
    return await respond({ turn, place: { turnId: turn.id, leg: 0 } }, requested, reply, services);
  },
});

const getResponse = defineRoute({
  method: "GET",
  path: "/v1/responses/:id",
  params: ResponseParams,
  query: ResponseQuery,
  takesUserName: true,
  hasHead: false, // a HEAD would follow the turn to its end
  errors: ["not_found", "server_stopping", ...storeErrors],
  handle: async ({ params, query, identity, reply }, { live, clock }: ResponsesServices) => {
    const found = await findResponse(live, params.id, toQueryCaller(identity, query));
    const { turn, place } = found;
    const echo = readEcho(turn.request);
    if (echo.store === false) throw toMissingResponse(params.id);
    if (query.stream !== "true") return await reply.send(readResponse(found));
    const startingAfter = query.starting_after;
    const wire = toResponseStream({ place, echo, startingAfter, showsFailures: true });
    return await followTurn(turn, reply, { wire, clock });
  },
});

const cancelResponse = defineRoute({
  method: "POST",
  path: "/v1/responses/:id/cancel",
  params: ResponseParams,
  query: NamedUserQuery,
  takesUserName: true,
  body: "ignored",
  errors: ["not_found", "server_stopping", ...storeErrors],
  handle: async ({ params, query, identity, reply }, { live, clock }: ResponsesServices) => {
    const found = await findResponse(live, params.id, toQueryCaller(identity, query));
    const hasEnded = await stopAndWait([found.turn], clock);
    return await reply.code(hasEnded ? 200 : 202).send(readResponse(found));
  },
});

/** `/v1/responses`, for OpenAI's clients. Contract: docs/protocol.md. */
export const responsesRoutes = defineRoutes({
  tag: "OpenAI",
  errors: { prefix: "/v1", format: openAiErrors },
  routes: { createResponse, getResponse, cancelResponse },
  describe: async () => (await import("./operations.ts")).responsesDescription,
});

/** Responds to the request that has started a response, or has found it under its key. */
async function respond(
  found: FoundResponse,
  { turn: { isKept, idempotencyKey }, streams, isBackground }: RequestedResponse,
  reply: FastifyReply,
  { clock }: ResponsesServices,
): Promise<FastifyReply | undefined> {
  const { turn, place } = found;
  void reply.header("x-request-id", turn.id);
  const stopsTurn = isKept === false && idempotencyKey === undefined;
  if (isBackground) keepFollowed(found);
  if (streams) {
    const wire = toResponseStream({ place, echo: readEcho(turn.request), showsFailures: isBackground });
    await followTurn(turn, reply, { wire, clock, stopsTurn });
    return undefined;
  }
  if (isBackground) {
    await turn.log.until(() => turn.log.start !== undefined);
    return await reply.send(readResponse(found));
  }
  const end = await awaitTurn(turn, reply, stopsTurn);
  if (end === undefined) return undefined;
  const error = end.type === "turn-end" ? end.error : undefined;
  if (error !== undefined) throw new AppError(error.code, "the reply was cut off", error);
  return await reply.send(readResponse(found));
}

/** Follows a turn to its end, so that it goes on without its client whatever `ON_DISCONNECT` says. */
function keepFollowed({ turn }: FoundResponse): void {
  const leave = turn.follow();
  void turn.log.until(() => turn.log.last !== undefined).then(leave);
}
