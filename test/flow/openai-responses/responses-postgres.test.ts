/** The suite of the Responses API on Postgres. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runResponsesSuite } from "./responses-suite.ts";

runResponsesSuite("Postgres", startPostgresHarness, 2);
