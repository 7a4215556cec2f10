/** The suite on a second message while a reply runs, on Postgres. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runRunningSuite } from "./running-suite.ts";

runRunningSuite("Postgres", startPostgresHarness, 2);
