/** The limits suite on PostgREST, with two replicas. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runLimitsSuite } from "./limits-suite.ts";

runLimitsSuite("PostgREST", startSupabaseHarness, 2);
