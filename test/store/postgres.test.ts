/** Owns the store's promises on Postgres. */
import { startPostgresHarness } from "./store-harness.ts";
import { runStoreSuite } from "./store-suite.ts";

runStoreSuite("Postgres", startPostgresHarness);
