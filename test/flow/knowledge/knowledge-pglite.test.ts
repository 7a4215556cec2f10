/** The knowledge suite on PGlite. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runKnowledgeSuite } from "./knowledge-suite.ts";

runKnowledgeSuite("PGlite", startPglite);
