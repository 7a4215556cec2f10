/** The suite on titles by a model, on Postgres. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runTitlesSuite } from "./titles-suite.ts";

runTitlesSuite("Postgres", startPostgresHarness, 2);
