/** The suite on a second message while a reply runs, on PostgREST. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runRunningSuite } from "./running-suite.ts";

runRunningSuite("PostgREST", startSupabaseHarness, 2);
