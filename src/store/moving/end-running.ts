/** Ends turns that were running when they were exported, as recovery ends those of a process that is gone. */
import { z } from "zod";
import type { Clock } from "../../base/clock.ts";
import { toInterruptedResult } from "../../turn/turn-result.ts";
import { toEndArgument, TurnWrites } from "../turns/turn-writes.ts";
import { TurnReads } from "../turns/turn-reads.ts";
import type { ExportHeader } from "./export-format.ts";
import { toDatabase, type RowSession } from "./row-session.ts";

const Turns = z.array(z.object({ id: z.string() }));

/**
 * Ends the turns of an export that were running as interrupted, with their saved text; resolves with their
 * number. A turn that has given a sign of life since the export is one of a running server, and stays.
 */
export async function endRunning(
  session: RowSession,
  { runningOwners: owners, exportedAt }: Pick<ExportHeader, "runningOwners" | "exportedAt">,
  clock: Clock,
): Promise<number> {
  if (owners.length === 0) return 0;
  const database = toDatabase(session);
  const [reads, writes] = [new TurnReads(database), new TurnWrites(database, clock)];
  const sql = "select id::text from public.turns where status = 'running' and heartbeat_at > $1";
  const except = Turns.parse(await session.query(sql, [exportedAt])).map(({ id }) => id);
  let total = 0;
  for (let count = 1; count > 0;) {
    count = 0;
    for (const turn of await reads.listAbandoned({ except, isStaleToo: false }, owners)) {
      if (turn.reason !== undefined) continue; // it waits, and a server goes on with it
      const result = toInterruptedResult(turn.text, clock.now(), turn.items);
      const filter = { owners, is_stale_too: false };
      const row = await writes.end({ ...toEndArgument(turn.turnId, result), if_abandoned: filter });
      if (row.type === "ended" && row.isChanged) count += 1;
    }
    total += count;
  }
  return total;
}
