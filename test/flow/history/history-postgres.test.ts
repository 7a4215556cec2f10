/** Owns the history suite's run on Postgres. */
import { startPostgresHarness } from "../../store/store-harness.ts";
import { runHistorySuite } from "./history-suite.ts";

runHistorySuite("Postgres", startPostgresHarness);
