/** Owns the choice among the answers that an address offers, by what the request accepts (RFC 9110, section 12.5.1). */
import type { FastifyReply } from "fastify";
import { AppError } from "../base/errors.ts";

/** A range of media types and how much it is wanted. */
interface MediaRange {
  readonly type: string;
  readonly quality: number;
}

/**
 * Returns the one of `offered` that the request wants most; of those it wants equally, the first. Says in `reply` that the
 * answer depends on it.
 * @throws AppError `not_acceptable`, which names what is offered.
 */
export function chooseType<Type extends string>(
  offered: readonly [Type, ...Type[]],
  reply: FastifyReply,
): Type {
  const accept = reply.request.headers.accept?.trim() || "*/*";
  const vary = reply.getHeader("vary");
  void reply.header("vary", vary === undefined ? "Accept" : `${String(vary)}, Accept`);
  const ranges = accept.split(",").map(toMediaRange);
  let best: { readonly type: Type; readonly quality: number } | undefined;
  for (const type of offered) {
    const quality = toQuality(type, ranges);
    if (quality > (best?.quality ?? 0)) best = { type, quality };
  }
  if (best !== undefined) return best.type;
  const detail = `This address offers ${offered.join(", ")}.`;
  throw new AppError("not_acceptable", `accept: ${accept.slice(0, 100)}`, { detail });
}

function toMediaRange(text: string): MediaRange {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice("q=".length);
  const quality = weight === undefined ? 1 : Number(weight);
  return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** The most specific range that holds a type says how much it is wanted. */
function toQuality(type: string, ranges: readonly MediaRange[]): number {
  for (const range of [type, `${type.split("/")[0]}/*`, "*/*"]) {
    const found = ranges.find((candidate) => candidate.type === range);
    if (found !== undefined) return found.quality;
  }
  return 0;
}
