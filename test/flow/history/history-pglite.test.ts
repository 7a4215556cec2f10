/** Owns the history suite's run on PGlite. */
import { startPglite } from "../../store/store-harness.ts";
import { runHistorySuite } from "./history-suite.ts";

runHistorySuite("PGlite", startPglite);
