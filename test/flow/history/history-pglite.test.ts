/** The history suites on PGlite. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runHistorySuite } from "./history-suite.ts";
import { runToolHistorySuite } from "./tool-history-suite.ts";

runHistorySuite("PGlite", startPglite);
runToolHistorySuite("PGlite", startPglite);
