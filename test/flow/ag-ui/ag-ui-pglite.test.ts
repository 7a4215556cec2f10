/** The run of the suite of AG-UI's clients, on PGlite. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runAgUiSuite } from "./ag-ui-suite.ts";

runAgUiSuite("PGlite", startPglite, 1);
