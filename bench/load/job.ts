/** Input and output of the load generator. */
import { z } from "zod";
import { Script } from "./script.ts";

/** The pattern in which streams are requested. */
export const Load = z.discriminatedUnion("type", [
  /**
   * `clients` at a time, one stream after another on a persistent connection, for `seconds`, or until there
   * were `streams` in all.
   */
  z.object({
    type: z.literal("closed"),
    clients: z.number(),
    seconds: z.number(),
    streams: z.number().optional(),
    pauseMs: z.number(),
  }),
  /**
   * `streams` in all, each on its own connection, started evenly; those still open at the deadline are cut.
   */
  z.object({ type: z.literal("open"), streams: z.number(), rampMs: z.number(), deadlineMs: z.number() }),
  /** Readers that take the first bytes, and stop reading until the end. */
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

/** Its result. */
export const LoadResult = z.object({
  streams: z.number(),
  /** Complete streams in which every byte was right. */
  whole: z.number(),
  /** Streams that were incomplete at the deadline or were cut off. */
  cut: z.number(),
  /** Streams with a wrong byte. */
  wrong: z.number(),
  /** Requests that did not get a stream. */
  refused: z.number(),
  /** Number of deltas that the received bytes amount to. */
  deltas: z.number(),
  bytes: z.number(),
  seconds: z.number(),
  firstByteP50Ms: z.number().nullable(),
  firstByteP99Ms: z.number().nullable(),
  gapP99Ms: z.number().nullable(),
  /** Response to the first refused request. */
  refusal: z.string().optional(),
});
export type LoadResult = z.infer<typeof LoadResult>;
