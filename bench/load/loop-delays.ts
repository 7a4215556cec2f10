/** What a server that was started with the meter of event-loop delay tells. */
import { z } from "zod";
import { toPath } from "../program.ts";

/** The options that preload the meter. */
export const meterOptions: readonly string[] = ["--import", toPath("peers/loop-delay-meter.ts")];

/** The answer to "reset" and to any other question: the delays since the last reset. */
export const Delays = z.object({ longestMs: z.number(), p99Ms: z.number() });
