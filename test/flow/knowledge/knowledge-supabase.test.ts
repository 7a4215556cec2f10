/** The knowledge suite on PostgREST. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runKnowledgeSuite } from "./knowledge-suite.ts";

runKnowledgeSuite("PostgREST", startSupabaseHarness);
