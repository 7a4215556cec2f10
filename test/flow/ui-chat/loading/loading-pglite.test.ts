/** The run of the suite on chats that are loaded again, on PGlite. */
import { startPglite } from "../../../support/databases/store-harness.ts";
import { runLoadingSuite } from "./loading-suite.ts";

runLoadingSuite("PGlite", startPglite, 1);
