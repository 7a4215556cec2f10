/**
 * `foreword-client/assistant-ui`: adapters for assistant-ui, whose threads are then the user's conversations.
 * They import types of `@assistant-ui/react` alone.
 */
export { createChatModelAdapter, type ChatModelOptions } from "./chat-model.ts";
export { createHistoryAdapter } from "./history.ts";
export { createThreadListAdapter } from "./thread-list.ts";
