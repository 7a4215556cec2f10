/** The store suite on PGlite. */
import { startPglite } from "../support/databases/store-harness.ts";
import { runStoreSuite } from "./store-suite.ts";

runStoreSuite("PGlite", startPglite);
