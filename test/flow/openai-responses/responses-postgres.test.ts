/** The suites of the Responses API on Postgres. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runClientsSuite } from "./clients-suite.ts";
import { runResponsesSuite } from "./responses-suite.ts";

runResponsesSuite("Postgres", startPostgresHarness, 2);
runClientsSuite("Postgres", startPostgresHarness, 2);
