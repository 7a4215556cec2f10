/** The suites on turns on Postgres, with two replicas. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runRecoverySuite } from "./recovery-suite.ts";
import { runTurnsSuite } from "./turns-suite.ts";

runTurnsSuite("Postgres", startPostgresHarness, 2);
runRecoverySuite("Postgres", startPostgresHarness);
