/** Owns the run of the suite on limits on Postgres, with two replicas. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runLimitsSuite } from "./limits-suite.ts";

runLimitsSuite("Postgres", startPostgresHarness, 2);
