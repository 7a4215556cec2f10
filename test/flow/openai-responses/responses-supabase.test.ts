/** The suite of the Responses API on PostgREST. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runResponsesSuite } from "./responses-suite.ts";

runResponsesSuite("PostgREST", startSupabaseHarness, 2);
