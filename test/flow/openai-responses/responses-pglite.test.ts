/** The suite of the Responses API on PGlite. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runResponsesSuite } from "./responses-suite.ts";

runResponsesSuite("PGlite", startPglite, 1);
