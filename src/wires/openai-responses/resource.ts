/** Finds the response that an id names, and reads it from the log of its turn. */
import { AppError } from "../../base/errors.ts";
import type { Caller } from "../../base/caller.ts";
import { quoteId } from "../../http/request-fields.ts";
import type { FollowedTurn } from "../../live/live-turn.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import { readEcho } from "./echo.ts";
import { parseResponseId, type ResponsePlace } from "./ids.ts";
import type { OutputItem } from "./output/output-item.ts";
import { ResponseOutput } from "./output/response-output.ts";
import { toEndedResponse, toEnding, toOpenResponse, type Response } from "./output/response.ts";

/** A response of a turn. */
export interface FoundResponse {
  readonly turn: FollowedTurn;
  readonly place: ResponsePlace;
}

/**
 * Resolves with the response of `caller` that `id` names.
 * @throws AppError `not_found`, or a `store_…` code.
 */
export async function findResponse(live: LiveTurns, id: string, caller: Caller): Promise<FoundResponse> {
  const place = parseResponseId(id);
  const turn = place && (await live.find(place.turnId, caller));
  if (place !== undefined && turn !== undefined && readOutput(turn, place).leg >= place.leg)
    return { turn, place };
  throw toMissingResponse(id);
}

/** Returns the error of an id that names no response of its caller. */
export function toMissingResponse(id: string, field?: string): AppError {
  const detail = `Response with id ${quoteId(id)} not found.`;
  return new AppError("not_found", `no response ${id}`, { detail, field });
}

/** Returns a response as it is now; `undefined` before its turn has begun. */
export function readResponse({ turn, place }: FoundResponse): Response | undefined {
  const { start, last } = turn.log;
  if (start === undefined) return undefined;
  const output = readOutput(turn, place);
  const head = { place, start, echo: readEcho(turn.request) };
  const hasGoneOn = output.leg > place.leg;
  if (last === undefined && !hasGoneOn) return toOpenResponse(head, output.items);
  const end = hasGoneOn ? undefined : last;
  output.end(toEnding(end));
  return toEndedResponse(head, output.items, end);
}

/** Returns the items of all legs of a turn. */
export function readTurnItems(turn: FollowedTurn): readonly OutputItem[] {
  const place = { turnId: turn.id, leg: 0 };
  const { leg: lastLeg } = readOutput(turn, place);
  const legs = Array.from({ length: lastLeg + 1 }, (_, leg) =>
    readResponse({ turn, place: { ...place, leg } }),
  );
  return legs.flatMap((response) => response?.output ?? []);
}

/** Returns the output of a turn so far. */
export function readOutput({ log }: FollowedTurn, place: ResponsePlace): ResponseOutput {
  const output = new ResponseOutput(place);
  const cursor = log.read();
  for (let event = cursor.nextLogged(); event !== undefined; event = cursor.nextLogged()) output.take(event);
  return output;
}
