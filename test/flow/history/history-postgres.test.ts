/** The history suites on Postgres. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runHistorySuite } from "./history-suite.ts";
import { runToolHistorySuite } from "./tool-history-suite.ts";

runHistorySuite("Postgres", startPostgresHarness);
runToolHistorySuite("Postgres", startPostgresHarness);
