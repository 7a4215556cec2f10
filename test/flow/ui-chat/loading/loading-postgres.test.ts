/** The run of the suite on chats that are loaded again, on Postgres. */
import { startPostgresHarness } from "../../../support/databases/store-harness.ts";
import { runLoadingSuite } from "./loading-suite.ts";

runLoadingSuite("Postgres", startPostgresHarness, 2);
