/** The rows of turns on a suite's database, as the server writes them. */
import { systemClock } from "../../../src/base/clock.ts";
import type { Database } from "../../../src/store/database/database.ts";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import { useResource } from "../apps/use-app.ts";
import type { StoreHarness } from "./store-harness.ts";

/** An open database, once the suite's fixtures have started. */
export class OpenTurnRows {
  #open: { readonly database: Database; readonly writes: TurnWrites } | undefined;

  get database(): Database {
    return this.#opened.database;
  }

  get writes(): TurnWrites {
    return this.#opened.writes;
  }

  get #opened() {
    if (this.#open === undefined) throw new Error("the database has not been opened");
    return this.#open;
  }

  open(database: Database, writes: TurnWrites): void {
    this.#open = { database, writes };
  }
}

/** Opens the database of `server`; `more` are the further arguments of its {@link TurnWrites}. */
export function useTurnWrites(
  server: { readonly harness: StoreHarness },
  ...more: ConstructorParameters<typeof TurnWrites> extends [unknown, unknown, ...infer Rest] ? Rest : never
): OpenTurnRows {
  const rows = new OpenTurnRows();
  useResource(async (closing) => {
    const database = await server.harness.open(systemClock);
    closing.defer(() => database.close());
    rows.open(database, new TurnWrites(database, systemClock, ...more));
  });
  return rows;
}
