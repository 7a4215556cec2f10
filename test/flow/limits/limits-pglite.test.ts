/** The limits suite on PGlite. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runLimitsSuite } from "./limits-suite.ts";

runLimitsSuite("PGlite", startPglite, 1);
