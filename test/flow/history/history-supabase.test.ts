/** The history suites on PostgREST. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runHistorySuite } from "./history-suite.ts";
import { runToolHistorySuite } from "./tool-history-suite.ts";

runHistorySuite("PostgREST", startSupabaseHarness);
runToolHistorySuite("PostgREST", startSupabaseHarness);
