/** The run of the suite on chats that are loaded again, on PostgREST. */
import { startSupabaseHarness } from "../../../support/databases/store-harness.ts";
import { runLoadingSuite } from "./loading-suite.ts";

runLoadingSuite("PostgREST", startSupabaseHarness, 2);
