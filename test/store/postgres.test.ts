/** The store suite on Postgres. */
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { runStoreSuite } from "./store-suite.ts";

runStoreSuite("Postgres", startPostgresHarness);
