/** A page of assistant-ui without a DOM: its real runtime, in React's test renderer. */
import type { TestContext } from "node:test";
import { createElement, useMemo } from "react";
import { create, type ReactTestRenderer } from "react-test-renderer";
import {
  AssistantRuntimeProvider,
  useAui,
  useLocalRuntime,
  useRemoteThreadListRuntime,
  type AssistantRuntime,
} from "@assistant-ui/react";
import {
  createChatModelAdapter,
  createHistoryAdapter,
  createThreadListAdapter,
  type ChatModelOptions,
} from "../../packages/foreword-client/src/assistant-ui/assistant-ui.ts";
import type { ForewordClient } from "../../packages/foreword-client/src/client.ts";

/** An open page. */
export class AssistantPage {
  #runtime: AssistantRuntime | undefined;
  #root: ReactTestRenderer | undefined;

  /** Opens one; close it with {@link close}. */
  static async open(client: ForewordClient, options: ChatModelOptions = {}): Promise<AssistantPage> {
    const page = new AssistantPage();
    const adapter = createThreadListAdapter(client);
    const chatModel = createChatModelAdapter(client, () => options);
    const useThread = (): AssistantRuntime => {
      const { threadListItem } = useAui();
      const history = useMemo(
        () => createHistoryAdapter(client, () => threadListItem.getState().remoteId),
        [threadListItem],
      );
      return useLocalRuntime(chatModel, { adapters: { history } });
    };
    const App = () => {
      page.#runtime = useRemoteThreadListRuntime({ adapter, runtimeHook: useThread });
      return createElement(AssistantRuntimeProvider, { runtime: page.#runtime }, null);
    };
    page.#root = create(createElement(App));
    await page.until(() => page.#runtime?.threads.getState().isLoading === false);
    return page;
  }

  /** Opens one until the end of a test. */
  static async openFor(
    context: TestContext,
    client: ForewordClient,
    options?: ChatModelOptions,
  ): Promise<AssistantPage> {
    const page = await AssistantPage.open(client, options);
    context.after(() => page.close());
    return page;
  }

  get runtime(): AssistantRuntime {
    if (this.#runtime === undefined) throw new Error("the page is not open");
    return this.#runtime;
  }

  get messages() {
    return this.runtime.thread.getState().messages;
  }

  /** The text of each message, with its role. */
  get texts(): readonly string[] {
    return this.messages.map(
      ({ role, content }) =>
        `${role}: ${content.map((part) => (part.type === "text" ? part.text : "")).join("")}`,
    );
  }

  /** The threads of the list, by title. */
  get titles(): readonly (string | undefined)[] {
    const { threadIds, threadItems } = this.runtime.threads.getState();
    return threadIds.map((id) => threadItems[id]?.title);
  }

  /** Does something as the user. */
  async do(action: (runtime: AssistantRuntime) => unknown): Promise<void> {
    await action(this.runtime);
  }

  /** Renders until `condition` holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise(setImmediate);
  }

  /** Sends a message, and renders until its reply is over. */
  async ask(text: string): Promise<void> {
    await this.do((runtime) => runtime.thread.append(text));
    await this.untilIdle();
  }

  /** Renders until the last message is a reply that is over. */
  async untilIdle(): Promise<void> {
    await this.until(() => {
      const { messages, isRunning } = this.runtime.thread.getState();
      const last = messages.at(-1);
      return !isRunning && last?.role === "assistant" && last.status.type !== "running";
    });
  }

  /** Shows the conversation, and renders until its messages are loaded. */
  async show(conversationId: string): Promise<void> {
    await this.do(async (runtime) => await runtime.threads.switchToThread(conversationId));
    await this.until(() => this.messages.length > 0);
  }

  /** The remote id of the shown thread. */
  get conversationId(): string {
    const { mainThreadId, threadItems } = this.runtime.threads.getState();
    return threadItems[mainThreadId]?.remoteId ?? "";
  }

  async close(): Promise<void> {
    this.#root?.unmount();
    await new Promise(setImmediate);
  }
}
