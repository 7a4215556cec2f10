/** The store suites on PGlite. */
import { startPglite } from "../support/databases/store-harness.ts";
import { runStoreSuite } from "./store-suite.ts";
import { runToolMessagesSuite } from "./turns/tool-messages-suite.ts";

runStoreSuite("PGlite", startPglite);
runToolMessagesSuite("PGlite", startPglite);
