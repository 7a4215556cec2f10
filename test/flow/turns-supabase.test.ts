/** Owns the run of the turns suite over Supabase's HTTP API, with two replicas. */
import { startSupabaseHarness } from "../store/store-harness.ts";
import { runTurnsSuite } from "./turns-suite.ts";

runTurnsSuite("PostgREST", startSupabaseHarness, 2);
