/** The files suite on Postgres. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runFilesSuite } from "./files-suite.ts";

runFilesSuite("Postgres", startPostgresHarness);
