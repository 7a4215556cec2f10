/** The suite on a second message while a reply runs, on PGlite. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runRunningSuite } from "./running-suite.ts";

runRunningSuite("PGlite", startPglite, 1);
