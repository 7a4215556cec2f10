/** Owns the run of the suite on limits on PGlite. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runLimitsSuite } from "./limits-suite.ts";

runLimitsSuite("PGlite", startPglite, 1);
