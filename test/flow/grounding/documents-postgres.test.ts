/** The run of the suite on turns with a knowledge base, on Postgres. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runDocumentSourcesSuite } from "./documents-suite.ts";

runDocumentSourcesSuite("Postgres", startPostgresHarness);
