/** The run of the suite on chats that go on, on PostgREST. */
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { runChatGoesOnSuite } from "./chat-goes-on-suite.ts";

runChatGoesOnSuite("PostgREST", startSupabaseHarness, 2);
