/** The suites of the Responses API on PGlite. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runClientsSuite } from "./clients-suite.ts";
import { runResponsesSuite } from "./responses-suite.ts";

runResponsesSuite("PGlite", startPglite, 1);
runClientsSuite("PGlite", startPglite, 1);
