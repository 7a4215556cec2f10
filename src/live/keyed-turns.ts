/** Turns with idempotency keys: a repeated request gets the turn of the first. */
import { AppError } from "../base/errors.ts";
import type { Caller } from "../base/caller.ts";
import type { LimitLeft } from "../turn/limits.ts";
import { digestRequest, type TurnRequest } from "../turn/turn-request.ts";
import type { FollowedTurn } from "./live-turn.ts";

/** The turn of a request. */
export interface StartedTurn {
  readonly turn: FollowedTurn;
  /** Whether an earlier request with the same key started it. */
  readonly isReplay: boolean;
  /** The rest of its limits per day, as far as known; absent for a replay, which takes nothing. */
  readonly left?: readonly LimitLeft[] | undefined;
}

/** A turn with an idempotency key. */
export interface KeyedTurn {
  readonly requestDigest: string | undefined;
  readonly started: Promise<StartedTurn>;
}

/**
 * Resolves with the turn of an earlier request with the same key. One that waited may have gone on since, and
 * is found again.
 * @throws AppError `idempotency_mismatch` if that request was another one.
 */
export async function attach(
  { requestDigest, started }: KeyedTurn,
  request: TurnRequest,
  find: (turnId: string, caller: Caller) => Promise<FollowedTurn | undefined>,
): Promise<StartedTurn> {
  const { turn } = await started;
  if (requestDigest !== digestRequest(request)) throw toMismatch(turn.id);
  const current = turn.log.last?.type === "turn-waiting" ? await find(turn.id, turn.caller) : undefined;
  return { turn: current ?? turn, isReplay: true };
}

/** Returns the error for a key that another request has used. */
export function toMismatch(turnId: string): AppError {
  return new AppError(
    "idempotency_mismatch",
    `the key belongs to turn ${turnId}, which another request began`,
  );
}

/** Returns the key of a request, which is per user; `undefined` if it has none. */
export function toKey({ caller, idempotencyKey }: TurnRequest): string | undefined {
  return idempotencyKey === undefined ? undefined : `${caller.userId ?? ""} ${idempotencyKey}`;
}
