/** The run of the suite of AG-UI's clients, on Postgres. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runAgUiSuite } from "./ag-ui-suite.ts";

runAgUiSuite("Postgres", startPostgresHarness, 2);
