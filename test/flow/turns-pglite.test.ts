/** Owns the run of the turns suite on the embedded database, which one replica has. */
import { startPglite } from "../store/store-harness.ts";
import { runTurnsSuite } from "./turns-suite.ts";

runTurnsSuite("PGlite", startPglite, 1);
