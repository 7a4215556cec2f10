/** The history suite on Postgres. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runHistorySuite } from "./history-suite.ts";

runHistorySuite("Postgres", startPostgresHarness);
