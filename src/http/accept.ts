/**
 * Content negotiation by `Accept` and `Accept-Encoding`.
 * https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
 */
import type { FastifyReply } from "fastify";
import { AppError } from "../base/errors.ts";

/** A media range and its quality. */
interface MediaRange {
  readonly type: string;
  readonly quality: number;
}

/**
 * Returns the `offered` type of the highest quality, the first of equals, and adds `Accept` to `Vary`.
 * @throws AppError `not_acceptable`, which names the offered types.
 */
export function chooseType<Type extends string>(
  offered: readonly [Type, ...Type[]],
  reply: FastifyReply,
): Type {
  const accept = reply.request.headers.accept?.trim() || "*/*";
  addVary(reply, "Accept");
  const ranges = accept.split(",").map(toMediaRange);
  let best: { readonly type: Type; readonly quality: number } | undefined;
  for (const type of offered) {
    const quality = toQuality(type, ranges);
    if (quality > (best?.quality ?? 0)) best = { type, quality };
  }
  if (best !== undefined) return best.type;
  const detail = `Available media types: ${offered.join(", ")}.`;
  throw new AppError("not_acceptable", `accept: ${accept.slice(0, 100)}`, { detail });
}

/**
 * Returns the first of the `offered` encodings that the client accepts, or `undefined`: the plain bytes. Adds
 * `Accept-Encoding` to `Vary`.
 */
export function chooseEncoding<Encoding extends string>(
  offered: readonly Encoding[],
  reply: FastifyReply,
): Encoding | undefined {
  addVary(reply, "Accept-Encoding");
  const ranges = (reply.request.headers["accept-encoding"] ?? "").split(",").map(toMediaRange);
  const find = (name: string): MediaRange | undefined => ranges.find(({ type }) => type === name);
  return offered.find((encoding) => ((find(encoding) ?? find("*"))?.quality ?? 0) > 0);
}

function addVary(reply: FastifyReply, name: string): void {
  const vary = reply.getHeader("vary");
  void reply.header("vary", vary === undefined ? name : `${String(vary)}, ${name}`);
}

function toMediaRange(text: string): MediaRange {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice("q=".length);
  const quality = weight === undefined ? 1 : Number(weight);
  return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** Returns the quality of the most specific range that includes `type`. */
function toQuality(type: string, ranges: readonly MediaRange[]): number {
  for (const range of [type, `${type.split("/")[0]}/*`, "*/*"]) {
    const found = ranges.find((candidate) => candidate.type === range);
    if (found !== undefined) return found.quality;
  }
  return 0;
}
