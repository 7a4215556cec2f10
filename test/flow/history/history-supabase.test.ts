/** The history suite on PostgREST. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runHistorySuite } from "./history-suite.ts";

runHistorySuite("PostgREST", startSupabaseHarness);
