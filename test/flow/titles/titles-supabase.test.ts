/** The suite on titles by a model, on PostgREST. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runTitlesSuite } from "./titles-suite.ts";

runTitlesSuite("PostgREST", startSupabaseHarness, 2);
