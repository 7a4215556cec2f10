/** Budgets, see budgets-suite.ts. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runBudgetsSuite } from "./budgets-suite.ts";

runBudgetsSuite("Postgres", startPostgresHarness, 2);
