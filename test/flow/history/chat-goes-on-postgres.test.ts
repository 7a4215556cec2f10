/** The run of the suite on chats that go on, on Postgres. */
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { runChatGoesOnSuite } from "./chat-goes-on-suite.ts";

runChatGoesOnSuite("Postgres", startPostgresHarness, 2);
