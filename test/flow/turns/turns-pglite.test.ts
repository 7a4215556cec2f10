/** The suites on turns on the embedded database, which supports one replica. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runRecoverySuite } from "./recovery-suite.ts";
import { runTurnsSuite } from "./turns-suite.ts";

runTurnsSuite("PGlite", startPglite, 1);
runRecoverySuite("PGlite", startPglite);
