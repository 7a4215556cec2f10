/** The files suite on Supabase's stack. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runFilesSuite } from "./files-suite.ts";

runFilesSuite("PostgREST", startSupabaseHarness);
