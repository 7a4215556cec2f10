/** The history suite on PGlite. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runHistorySuite } from "./history-suite.ts";

runHistorySuite("PGlite", startPglite);
