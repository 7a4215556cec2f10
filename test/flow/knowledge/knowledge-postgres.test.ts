/** The knowledge suite on Postgres. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runKnowledgeSuite } from "./knowledge-suite.ts";

runKnowledgeSuite("Postgres", startPostgresHarness);
