/** The suite on titles by a model, on PGlite. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runTitlesSuite } from "./titles-suite.ts";

runTitlesSuite("PGlite", startPglite, 1);
