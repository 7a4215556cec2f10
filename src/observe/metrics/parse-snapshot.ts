/** Reads snapshots that another process has sent. */
import { z } from "zod";
import { isMetricName } from "./metric-table.ts";
import type { MetricsSnapshot } from "./metrics.ts";

const labels = z.array(z.string());
const Snapshot = z
  .record(
    z.string(),
    z.array(
      z.union([
        z.object({ labels, value: z.number() }),
        z.object({ labels, counts: z.array(z.number()), sum: z.number() }),
      ]),
    ),
  )
  // Another build may have more metrics.
  .transform((all): MetricsSnapshot =>
    Object.fromEntries(Object.entries(all).filter(([name]) => isMetricName(name))),
  );

/** Returns the snapshot in `value`; `undefined` if there is none. */
export function parseSnapshot(value: unknown): MetricsSnapshot | undefined {
  return Snapshot.safeParse(value).data;
}
