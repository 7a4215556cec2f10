/** Names the model that replies to a turn, and those that failed before it, in headers. */
import type { FastifyReply } from "fastify";
import type { FollowedTurn } from "../../live/live-turn.ts";

/** More than any turn with sensible settings has; no proxy takes headers of any size. */
const maxAttempts = 32;

/**
 * Returns the configured name of the model that replies to `turn`, as far as that is known: until it has
 * shown some of its reply, another may take its place.
 */
export function findReplyingModel({ log, report }: FollowedTurn): string | undefined {
  const stored = log.end?.attempts === undefined ? undefined : log.end.model;
  return report?.model ?? stored ?? log.start?.model;
}

/** Sets `X-Model` and, if other models failed before, `X-Model-Attempts`, once a model has replied. */
export function sendModel(turn: FollowedTurn, reply: FastifyReply): void {
  const { log, report } = turn;
  if (log.position === 0 && log.end === undefined) return;
  const model = findReplyingModel(turn);
  if (model !== undefined) void reply.header("x-model", toToken(model));
  const attempts = log.end?.attempts ?? report?.attempts;
  if (attempts === undefined) return;
  const listed = attempts
    .slice(0, maxAttempts)
    .map(({ model: name, errorCode }) => `${toToken(name)}=${errorCode}`);
  void reply.header("x-model-attempts", listed.join(", "));
}

/** Percent-encodes the characters that headers cannot hold, and those between the attempts. */
function toToken(name: string): string {
  return name.toWellFormed().replaceAll(/[^!-~]|[%,;=]/gu, encodeURIComponent);
}
