/** The requests of the client: the bodies of `POST /stream-chat` and of approvals (docs/protocol.md). */
import type { TurnState } from "../../../src/http/turns/turn-state.ts";

/** A message of a chat. */
export interface ChatMessage {
  readonly sender: "user" | "assistant" | "system";
  /** At most 1 MiB; 2 MiB for an `assistant` message. */
  readonly text: string;
  /** The tool calls of an `assistant` message, as in its `Reply`, with the outputs of the client's tools. */
  readonly tools?: readonly SentToolCall[] | undefined;
  /** Images and PDFs in a user's message, which the model is sent and the server stores: at most 100. */
  readonly images?: readonly ChatImage[] | undefined;
}

/** An image or a PDF: its bytes, or the URL of a stored one. */
export type ChatImage = (
  | {
      readonly inlineData: {
        /** Base64, without a data URL's prefix. */
        readonly data: string;
        readonly mimeType: "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "application/pdf";
      };
    }
  | { /** As in `attachments` of a stored message. */ readonly url: string }
) & {
  /** The name of its file. */
  readonly name?: string | undefined;
};

/** A tool call that is sent back with its message. Other fields of a `Reply`'s calls are ignored. */
export interface SentToolCall {
  readonly callId: string;
  readonly name: string;
  /** The arguments: the model's text, or the JSON read from it. */
  readonly input: unknown;
  /** The result, as JSON. */
  readonly output?: unknown;
  /** Why the call failed, instead of an output. */
  readonly error?: string | null | undefined;
  /** Default: `complete` with an output, `failed` with an error. */
  readonly status?: TurnState["tools"][number]["status"] | undefined;
  /** Default: `client`. */
  readonly runsOn?: "client" | "server" | undefined;
  /** The model call that asked for it. Default: 0. */
  readonly step?: number | undefined;
  /** Where it stands in the message's text, in UTF-16 code units. Default: its end. */
  readonly at?: number | undefined;
}

/** A tool that the client runs. */
export interface ClientTool {
  /** 1 to 64 letters, digits, underscores or hyphens. */
  readonly name: string;
  /** When to use it, for the model. */
  readonly description?: string | undefined;
  /** JSON Schema of its input: an object. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  /** Whether the model must follow `parameters` exactly, if it can. */
  readonly strict?: boolean | undefined;
}

/** The request for a turn: the body of `POST /stream-chat` (docs/protocol.md). */
export interface ChatRequest extends ChatOptions {
  /**
   * The whole chat from its start, or with `parentId` only its new messages; 1 to 20,000 messages. The last
   * one is the user's, or the assistant's with the results of its calls.
   */
  readonly messages: readonly ChatMessage[];
  /** The stored message to continue from: its id, or `leaf` (with `conversationId`). Default: none. */
  readonly parentId?: string | undefined;
}

/** The fields of a request besides its messages. */
export interface ChatOptions {
  /** The conversation, a UUID; created if it does not exist. Default: the server finds it by the messages. */
  readonly conversationId?: string | undefined;
  /**
   * If a reply is in progress in the conversation: `branch` begins beside it, `reject` throws `turn_running`,
   * `stop` stops it first. Default: `reject` below the reply in progress, else `branch`.
   */
  readonly ifRunning?: "branch" | "reject" | "stop" | undefined;
  /** Whether the model is told that web search is on. Default: false. */
  readonly use_web_search?: boolean | undefined;
  /** The name of a knowledge base, which the model is told. */
  readonly knowledge_base?: string | undefined;
  /** How much the model thinks, in a word of its server, like `low`. Default: as configured. */
  readonly reasoning_effort?: string | undefined;
  /** How long its answers are, in a word of its server, like `low`. Default: as configured. */
  readonly verbosity?: string | undefined;
  /** The model's name, if the server has several. Default: the first that the user may use. */
  readonly model?: string | undefined;
  /** Tools that the client runs, at most 128. A turn that calls them ends: go on with their results. */
  readonly tools?: readonly ClientTool[] | undefined;
  /** Whether the model may, must not or must call tools, or which one. Default: `auto`. */
  readonly toolChoice?: "auto" | "none" | "required" | { readonly name: string } | undefined;
  /** Whether the model may make several calls at once. */
  readonly parallelToolCalls?: boolean | undefined;
}

/** The result of a call of the client's tools. */
export type ToolResult =
  | { readonly callId: string; /** JSON. */ readonly output: unknown }
  | { readonly callId: string; /** Why it failed, for the model. */ readonly error: string };

/** The answer to a call that waits for approval. */
export interface ApprovalAnswer {
  readonly approvalId: string;
  readonly approved: boolean;
  /** For the model: at most 1,000 characters. */
  readonly reason?: string | undefined;
}
