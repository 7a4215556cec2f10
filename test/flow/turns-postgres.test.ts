/** Owns the run of the turns suite on Postgres, with two replicas. */
import { startPostgresHarness } from "../store/store-harness.ts";
import { runTurnsSuite } from "./turns-suite.ts";

runTurnsSuite("Postgres", startPostgresHarness, 2);
