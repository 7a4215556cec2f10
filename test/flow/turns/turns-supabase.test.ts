/** The suites on turns over Supabase's HTTP API, with two replicas. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runRecoverySuite } from "./recovery-suite.ts";
import { runTurnsSuite } from "./turns-suite.ts";

runTurnsSuite("PostgREST", startSupabaseHarness, 2);
runRecoverySuite("PostgREST", startSupabaseHarness);
