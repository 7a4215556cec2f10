/** Ends turns that were running when they were exported, as recovery ends those of a process that is gone. */
import type { Clock } from "../../base/clock.ts";
import { toInterruptedResult } from "../../turn/turn-result.ts";
import { toEndArgument, TurnWrites } from "../turns/turn-writes.ts";
import { TurnReads } from "../turns/turn-reads.ts";
import { toDatabase, type RowSession } from "./row-session.ts";

/** Ends the running turns of `owners` as interrupted, with their saved text; resolves with their number. */
export async function endRunning(
  session: RowSession,
  owners: readonly string[],
  clock: Clock,
): Promise<number> {
  const database = toDatabase(session);
  const [reads, writes] = [new TurnReads(database), new TurnWrites(database, clock)];
  let total = 0;
  for (let count = 1; count > 0 && owners.length > 0;) {
    count = 0;
    for (const turn of await reads.listAbandoned({ except: [], isStaleToo: false }, owners)) {
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
