/** The suite on summaries of long chats, on Postgres. */
import { startPostgresHarness } from "../../../support/databases/store-harness.ts";
import { runSummarySuite } from "./summary-suite.ts";

runSummarySuite("Postgres", startPostgresHarness, true);
