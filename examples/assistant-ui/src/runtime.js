/** The runtime of assistant-ui, with Foreword's conversations as its threads. */
import { useMemo } from "react";
import { useAui, useLocalRuntime, useRemoteThreadListRuntime } from "@assistant-ui/react";
import { createClient } from "foreword-client";
import {
  createChatModelAdapter,
  createHistoryAdapter,
  createThreadListAdapter,
} from "foreword-client/assistant-ui";

// With users: createClient({ baseUrl, headers: async () => ({ authorization: `Bearer ${await getToken()}` }) })
const foreword = createClient({ baseUrl: location.origin });
const threads = createThreadListAdapter(foreword);
const chatModel = createChatModelAdapter(foreword);

function useThread() {
  const { threadListItem } = useAui();
  const history = useMemo(
    () => createHistoryAdapter(foreword, () => threadListItem.getState().remoteId),
    [threadListItem],
  );
  return useLocalRuntime(chatModel, { adapters: { history } });
}

/** The runtime of a page. */
export const useForeword = () => useRemoteThreadListRuntime({ adapter: threads, runtimeHook: useThread });
