/** The AI SDK's own client, `Chat` with its default transport, and a record of its states. */
import { Chat } from "@ai-sdk/react";
import {
  DefaultChatTransport,
  isToolUIPart,
  lastAssistantMessageIsCompleteWithApprovalResponses,
  lastAssistantMessageIsCompleteWithToolCalls,
  type DynamicToolUIPart,
  type PrepareSendMessagesRequest,
  type ToolUIPart,
  type UIMessage,
} from "ai";
import { z } from "zod";
import type { ScriptedCall, ScriptedModel } from "../model/scripted-model.ts";
import { Looks } from "./looks.ts";

/**
 * The metadata of a reply: the required fields at its start, and all of them at its end. The client validates
 * it.
 */
const Metadata = z.strictObject({
  turnId: z.uuid(),
  conversationId: z.guid(),
  model: z.string().nullable(),
  startedAt: z.iso.datetime(),
  outcome: z.enum(["complete", "stopped", "failed", "interrupted"]).nullish(),
  finishReason: z.enum(["stop", "length", "content-filter", "tool-calls", "other"]).nullish(),
  usage: z
    .strictObject({
      inputTokens: z.number(),
      outputTokens: z.number(),
      toolCalls: z.number().optional(),
      toolCost: z.number().optional(),
    })
    .nullish(),
  approvals: z
    .array(z.strictObject({ approvalId: z.uuid(), toolCallId: z.string(), expiresAt: z.iso.datetime() }))
    .optional(),
  timings: z.strictObject({ durationMs: z.int().nullable(), firstTextMs: z.int().nullable() }).optional(),
  storage: z.enum(["stored", "queued", "none"]).optional(),
  errorCode: z.string().optional(),
});
const Plan = z.strictObject({ text: z.string().min(1), state: z.enum(["streaming", "done"]) });

/** A message as the client holds it. */
export type ShownMessage = UIMessage<z.infer<typeof Metadata>, { plan: z.infer<typeof Plan> }>;

/** A message that the server has loaded: its metadata is that of a stream. */
const Loaded = z.custom<ShownMessage>((message) => {
  const { metadata } = z.looseObject({ metadata: z.unknown().optional() }).parse(message);
  return metadata === undefined || Metadata.safeParse(metadata).success;
});

/** Options of a chat. */
interface ChatOptions {
  readonly id?: string;
  readonly userId?: string;
  readonly messages?: readonly ShownMessage[];
  /** Fields of every body. */
  readonly body?: object;
  /** Whether each request has only the newest message. */
  readonly sendsLastOnly?: boolean;
  /** Runs the client's tools: returns the output, or throws. Without it calls are only shown. */
  readonly runTool?: ((call: { readonly toolName: string; readonly input: unknown }) => unknown) | undefined;
}

/** A chat, and a record of its events. */
export class ObservedChat {
  readonly chat: Chat<ShownMessage>;
  /** Every status, in order. */
  readonly statuses: string[] = ["ready"];
  /** Every plan passed to `onData`. */
  readonly plans: z.infer<typeof Plan>[] = [];
  /** How each request ended. */
  readonly ends: { isAbort: boolean; isError: boolean; finishReason: string | undefined }[] = [];
  /** Every call that the client was asked to run, as its tool's name. */
  readonly asked: string[] = [];
  /** Called when a request has ended. */
  readonly #looks = new Looks();

  /** Opens a chat on the server at `url`, as `useChat` does. */
  constructor(
    url: string,
    { id, userId, messages = [], body = {}, sendsLastOnly = false, runTool }: ChatOptions = {},
  ) {
    const query = userId === undefined ? "" : `?userId=${userId}`;
    this.chat = new Chat<ShownMessage>({
      ...(id !== undefined && { id }),
      messages: [...messages],
      transport: new DefaultChatTransport({
        api: `${url}/api/chat${query}`,
        body,
        ...(sendsLastOnly && { prepareSendMessagesRequest: toLastMessage }),
      }),
      messageMetadataSchema: Metadata,
      dataPartSchemas: { plan: Plan },
      sendAutomaticallyWhen: ({ messages: all }) =>
        lastAssistantMessageIsCompleteWithToolCalls({ messages: all }) ||
        lastAssistantMessageIsCompleteWithApprovalResponses({ messages: all }),
      onToolCall: ({ toolCall }) => {
        this.asked.push(toolCall.toolName);
        if (runTool !== undefined) this.#run(toolCall, runTool);
      },
      onData: ({ data }) => void this.plans.push({ ...data }),
      onFinish: ({ isAbort, isError, finishReason }) => {
        this.ends.push({ isAbort, isError, finishReason });
        this.#looks.again();
      },
    });
    this.chat["~registerStatusCallback"](() => void this.statuses.push(this.chat.status));
  }

  /** Runs a tool, and adds its output or its error to the message. */
  #run(
    { toolName, toolCallId, input }: { toolName: string; toolCallId: string; input: unknown },
    runTool: NonNullable<ChatOptions["runTool"]>,
  ): void {
    const call = { tool: toolName, toolCallId };
    try {
      void this.chat.addToolOutput({ ...call, output: runTool({ toolName, input }) });
    } catch (error) {
      void this.chat.addToolOutput({ ...call, state: "output-error", errorText: String(error) });
    }
  }

  /** The tool parts of the last message. */
  get tools(): readonly (ToolUIPart | DynamicToolUIPart)[] {
    return this.last.parts.filter((part) => isToolUIPart(part));
  }

  /** The last message. */
  get last(): ShownMessage {
    const { lastMessage } = this.chat;
    if (lastMessage === undefined) throw new Error("no message is shown");
    return lastMessage;
  }

  /** The text of the last message; empty if there is none. */
  get text(): string {
    return this.chat.lastMessage === undefined ? "" : textOf(this.chat.lastMessage);
  }

  /** Resolves once the chat shows something for which `isIt` is true. */
  async until(isIt: () => boolean): Promise<void> {
    const look = this.#looks.again;
    const off = [this.chat["~registerMessagesCallback"](look), this.chat["~registerStatusCallback"](look)];
    await this.#looks.until(isIt);
    for (const unregister of off) unregister();
  }

  /** Sends a message; returns the model's end of it, and a promise for the end of the reply. */
  async ask(
    model: ScriptedModel,
    text: string,
  ): Promise<{ readonly call: ScriptedCall; readonly sending: Promise<void> }> {
    const next = model.nextCall();
    const sending = this.chat.sendMessage({ text });
    return { sending, call: await next };
  }

  /**
   * Sends a message and leaves its reply once that shows a plan and `seen`; returns the model's end of it.
   */
  async askAndLeave(model: ScriptedModel, text: string, seen: string): Promise<ScriptedCall> {
    const { call, sending } = await this.ask(model, text);
    call.text(`- 1\n---RESPONSE---\n${seen}`);
    await this.until(() => this.plans.at(-1)?.state === "done" && this.text === seen);
    await this.chat.stop();
    await sending;
    return call;
  }

  /** Resolves once the chat has had `count` responses in all. */
  async ended(count: number): Promise<void> {
    await this.until(() => this.ends.length === count && this.chat.status !== "submitted");
  }

  /** Answers the `index`th of the open requests for approval, as a button on the page does. */
  answer(approved: boolean, index = 0): void {
    const open = this.tools.filter(({ state }) => state === "approval-requested");
    const id = open[index]?.approval?.id;
    if (id === undefined) throw new Error("nothing waits for approval");
    void this.chat.addToolApprovalResponse({ id, approved });
  }

  /** Sends a message that `model` answers with `reply`; returns the model's prompt. */
  async say(model: ScriptedModel, text: string, reply: string): Promise<unknown[]> {
    model.say(reply);
    await this.chat.sendMessage({ text });
    return promptOf(model.calls.at(-1));
  }
}

/** The messages of a chat, as its route returns them. */
export interface LoadedChat {
  readonly messages: readonly ShownMessage[];
  /** The path of the page with older messages, if there is one. */
  readonly older: string | undefined;
}

/** Loads a chat, or the page at `path`. */
export async function loadChat(
  url: string,
  { id = "", userId = "", query = "", path }: { id?: string; userId?: string; query?: string; path?: string },
): Promise<LoadedChat> {
  const response = await fetch(
    url + (path ?? `/api/chat/${encodeURIComponent(id)}?userId=${userId}${query}`),
  );
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  const messages = z.array(Loaded).parse(await response.json());
  const link = response.headers.get("link");
  return { messages, older: /^<([^>]+)>; rel="next"$/.exec(link ?? "")?.[1] };
}

/** Opens a chat as a page does that was loaded again: with its stored messages. */
export async function reopenChat(url: string, options: ChatOptions & { id: string }): Promise<ObservedChat> {
  const { messages } = await loadChat(url, options);
  return new ObservedChat(url, { ...options, messages });
}

/** Returns `messages` as JSON holds them: without members that are undefined. */
export function toJson(messages: readonly ShownMessage[]): unknown {
  return JSON.parse(JSON.stringify(messages));
}

/** The AI SDK's own pattern for a history that the server keeps. */
const toLastMessage: PrepareSendMessagesRequest<ShownMessage> = ({
  id,
  messages,
  trigger,
  messageId,
  body,
}) => ({
  body: { ...body, id, message: messages.at(-1), trigger, messageId },
});

/** Returns the text of a message, all parts of it. */
export function textOf({ parts }: ShownMessage): string {
  return parts.map((part) => (part.type === "text" ? part.text : "")).join("");
}

/** Returns the prompt of a request without Foreword's instruction: role and content of each message. */
export function promptOf(call: ScriptedCall | undefined): unknown[] {
  return (call?.body.messages ?? []).slice(1).map(({ role, content }) => [role, content]);
}
