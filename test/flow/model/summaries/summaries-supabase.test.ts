/** The suite on summaries of long chats, on PostgREST. */
import { startSupabaseHarness } from "../../../support/databases/store-harness.ts";
import { runSummarySuite } from "./summary-suite.ts";

runSummarySuite("PostgREST", startSupabaseHarness, true);
