/** The store suites on Postgres. */
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { runStoreSuite } from "./store-suite.ts";
import { runToolMessagesSuite } from "./turns/tool-messages-suite.ts";

runStoreSuite("Postgres", startPostgresHarness);
runToolMessagesSuite("Postgres", startPostgresHarness);
