/** Faults between a server and its database. */
import type { Database } from "../../../src/store/database/database.ts";

/** Returns `database` with calls that `call` makes in its place. */
export function intercept(database: Database, call: Database["call"]): Database {
  return {
    get schemaVersion() {
      return database.schemaVersion;
    },
    call,
    close: () => database.close(),
  };
}
