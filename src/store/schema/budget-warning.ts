/** Warns if the database does not count costs, so that each process counts budgets for itself. */
import type { Observer } from "../../turn/observer.ts";
import type { TurnBegin } from "../../turn/ports.ts";
import type { Database } from "../database/database.ts";

/** The first schema version that counts costs. */
const costsVersion = 9;

/** Tells once. */
export class BudgetWarning {
  readonly #database: Pick<Database, "schemaVersion">;
  readonly #observe: Observer;
  #isTold = false;

  constructor(database: Pick<Database, "schemaVersion">, observe: Observer) {
    this.#database = database;
    this.#observe = observe;
  }

  /** A turn begins, which may have a budget. */
  check({ allowance }: TurnBegin): void {
    if (this.#isTold || (allowance?.costPerDay ?? allowance?.key?.costPerDay) === undefined) return;
    const { schemaVersion: version = costsVersion } = this.#database;
    if (version >= costsVersion) return;
    this.#isTold = true;
    this.#observe({ type: "costs-uncounted", version });
  }
}
