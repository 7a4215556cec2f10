/** The suite on summaries of long chats, on PGlite. */
import { startPglite } from "../../../support/databases/store-harness.ts";
import { runSummarySuite } from "./summary-suite.ts";

runSummarySuite("PGlite", startPglite, false);
