/** The run of the suite on turns with a knowledge base, on PostgREST. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runDocumentSourcesSuite } from "./documents-suite.ts";

runDocumentSourcesSuite("PostgREST", startSupabaseHarness);
