/** The store suite on PostgREST. */
import { startSupabaseHarness } from "../support/databases/store-harness.ts";
import { runStoreSuite } from "./store-suite.ts";

runStoreSuite("PostgREST", startSupabaseHarness);
