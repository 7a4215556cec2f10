/** The run of the suite of AG-UI's clients, on PostgREST. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runAgUiSuite } from "./ag-ui-suite.ts";

runAgUiSuite("PostgREST", startSupabaseHarness, 2);
