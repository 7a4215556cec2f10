/** Budgets, see budgets-suite.ts. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runBudgetsSuite } from "./budgets-suite.ts";

runBudgetsSuite("PGlite", startPglite, 1);
