/** Budgets, see budgets-suite.ts. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runBudgetsSuite } from "./budgets-suite.ts";

runBudgetsSuite("PostgREST", startSupabaseHarness, 2);
