/** The run of the suite on turns with a knowledge base, on PGlite. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runDocumentSourcesSuite } from "./documents-suite.ts";

runDocumentSourcesSuite("PGlite", startPglite);
