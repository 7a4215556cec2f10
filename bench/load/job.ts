/** Owns what the load generator is told, and what it tells. */
import { z } from "zod";
import { Script } from "./script.ts";

/** How streams come. */
export const Load = z.discriminatedUnion("type", [
  /** So many at a time, one after another on a connection that stays open, for some time. */
  z.object({ type: z.literal("closed"), clients: z.number(), seconds: z.number(), pauseMs: z.number() }),
  /** So many in all, each on a connection of its own, started evenly; what is not over by the deadline is cut. */
  z.object({ type: z.literal("open"), streams: z.number(), rampMs: z.number(), deadlineMs: z.number() }),
  /** Readers that take the first bytes, and then no more until all are left. */
  z.object({ type: z.literal("stalled"), streams: z.number(), seconds: z.number() }),
]);
export type Load = z.infer<typeof Load>;

/** One run. */
export const Job = z.object({
  url: z.string(),
  script: Script,
  kind: z.enum(["events", "text", "plan"]),
  load: Load,
});
export type Job = z.infer<typeof Job>;

/** What came of it. */
export const LoadResult = z.object({
  streams: z.number(),
  /** Those that came whole and true. */
  whole: z.number(),
  /** Those that were still coming at the deadline, or broke off. */
  cut: z.number(),
  /** Those with a wrong byte. */
  wrong: z.number(),
  /** Those that were answered with anything but a stream. */
  refused: z.number(),
  /** How many deltas the bytes that came are. */
  deltas: z.number(),
  bytes: z.number(),
  seconds: z.number(),
  firstByteP50Ms: z.number().nullable(),
  firstByteP99Ms: z.number().nullable(),
  gapP99Ms: z.number().nullable(),
  /** What the first of the refused was told. */
  refusal: z.string().optional(),
});
export type LoadResult = z.infer<typeof LoadResult>;
