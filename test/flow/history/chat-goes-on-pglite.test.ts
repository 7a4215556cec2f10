/** The run of the suite on chats that go on, on PGlite. */
import { startPglite } from "../../support/databases/store-harness.ts";
import { runChatGoesOnSuite } from "./chat-goes-on-suite.ts";

runChatGoesOnSuite("PGlite", startPglite, 1);
