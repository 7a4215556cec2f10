/** Starts turns, on whichever wire the request came. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { AppError } from "../../base/errors.ts";
import type { FollowedTurn } from "../../live/live-turn.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import { checkParameters } from "../../turn/allowed-parameters.ts";
import { hasImages, type TurnAttachments } from "../../turn/attachments/turn-attachments.ts";
import { isLongChat, readLongChat } from "../../turn/message-tree.ts";
import type { Models } from "../../turn/ports.ts";
import { readTraceContext } from "../../turn/tracing/trace-context.ts";
import { findModel, type TurnRequest } from "../../turn/turn-request.ts";
import type { Limits } from "../limits.ts";

/** The services of routes that start turns. */
export interface TurnStarter {
  readonly models: Models;
  readonly live: LiveTurns;
  readonly limits: Limits;
  /** `undefined` if images are not kept. */
  readonly attachments: TurnAttachments | undefined;
}

/**
 * Starts `turn` within its user's limits, or finds the turn that was started with its idempotency key.
 * @throws AppError as {@link checkParameters}, {@link Limits.allow}, {@link TurnAttachments.prepare} and
 * {@link LiveTurns.start} do.
 */
export async function startTurn(
  { models, live, limits, attachments }: TurnStarter,
  requested: TurnRequest,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FollowedTurn> {
  checkParameters(findModel(models, requested), requested.parameters);
  const trace = readTraceContext(request.headers);
  const allowed = { ...limits.allow(request, requested), requestId: request.id, trace };
  const prepared = hasImages(allowed) ? await prepare(allowed, attachments) : allowed;
  if (isLongChat(prepared.messages)) await readLongChat(prepared.messages);
  const { turn, isReplay, left } = await live.start(prepared);
  if (left !== undefined) limits.sendLeft(prepared, left, reply);
  if (isReplay) void reply.header("idempotency-replayed", "true");
  return turn;
}

async function prepare(request: TurnRequest, attachments: TurnAttachments | undefined): Promise<TurnRequest> {
  if (attachments !== undefined) return await attachments.prepare(request);
  for (const { role, images } of request.messages)
    for (const { link } of images)
      if (role === "user" && link !== undefined)
        throw new AppError("file_not_found", "files are not kept", { field: link.field });
  return request;
}
