/** The fixture of suites that write turns without an app. */
import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import type { Database } from "../../../src/store/database/database.ts";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import { useDatabase, useResource } from "../apps/use-app.ts";
import type { StoreHarness } from "./store-harness.ts";

/** Options of {@link useWrites}. */
interface WritesOptions {
  readonly owner?: string;
}

/** An open database, and its writes. */
export interface Written {
  readonly database: Database;
  readonly writes: TurnWrites;
}

/** Starts a database for a suite, opens it, and writes turns there. */
export function useWrites(start: () => Promise<StoreHarness>, options: WritesOptions = {}): Written {
  const server = useDatabase(start);
  let database: Database | undefined;
  let writes: TurnWrites | undefined;
  useResource(async (closing) => {
    const opened = await server.harness.open(systemClock);
    closing.defer(() => opened.close());
    writes = new TurnWrites(opened, systemClock, options.owner);
    database = opened;
  });
  return {
    get database() {
      return database ?? assert.fail("it has not been opened");
    },
    get writes() {
      return writes ?? assert.fail("it has not been opened");
    },
  };
}
