/** The limits suite on Postgres, with two replicas. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runLimitsSuite } from "./limits-suite.ts";

runLimitsSuite("Postgres", startPostgresHarness, 2);
