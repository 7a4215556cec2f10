/** The suites of the Responses API on PostgREST. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runClientsSuite } from "./clients-suite.ts";
import { runResponsesSuite } from "./responses-suite.ts";

runResponsesSuite("PostgREST", startSupabaseHarness, 2);
runClientsSuite("PostgREST", startSupabaseHarness, 2);
