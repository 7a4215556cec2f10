/** Owns the history suite's run on Postgres. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runHistorySuite } from "./history-suite.ts";

runHistorySuite("Postgres", startPostgresHarness);
