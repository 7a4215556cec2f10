/** The messages that a conversation shows, stored ones and those that are still being written. */
import type {
  Attachment,
  Reply,
  StoredMessage,
  StoredToolCall,
  StreamEvent,
  TurnState,
} from "../../base/foreword-client.ts";
import type { KeptFile } from "./kept-files.ts";

type ApprovalRequest = Extract<StreamEvent, { readonly type: "approval-request" }>;

/** An image or a PDF: stored, or about to be sent. */
export type ShownFile =
  | Pick<Attachment, "url" | "mediaType" | "name">
  | (KeptFile & { readonly mediaType: string; readonly name: string });

/** What was searched for the sources of a reply. */
export type Search = NonNullable<TurnState["searches"]>[number];

/** A document or page that the model was given. */
export type Source = Omit<NonNullable<TurnState["sources"]>[number], "isCited">;

/** A tool call of a reply. */
export interface ToolCall {
  readonly callId: string;
  readonly name: string;
  /** For people, or `null`. */
  readonly title: string | null;
  /** The arguments as far as they are written. */
  readonly input: string;
  /** `null`: its client has to run it. */
  readonly status: "writing" | "running" | "waiting" | StoredToolCall["status"];
  readonly output: unknown;
  /** Its place in the answer, in UTF-16 code units. */
  readonly at: number;
  /** While it waits for its user. */
  readonly approval?: Pick<ApprovalRequest, "approvalId" | "expiresAt"> | undefined;
}

/** A reply, as far as it has come. */
export interface ReplyContent {
  readonly status: "running" | Reply["status"];
  readonly plan: string;
  /** `null` before the boundary. */
  readonly answer: string | null;
  readonly reasoning: string;
  readonly tools: readonly ToolCall[];
  readonly searches: readonly Search[];
  readonly sources: readonly Source[];
  readonly error: { readonly code: string; readonly retryAfterMs?: number | null } | null;
  readonly finishReason: string | null;
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number } | null;
  readonly model: string | null;
  readonly durationMs: number | null;
  /** When it began, in milliseconds of this browser's clock; `null` if it is over. */
  readonly startedAtMs: number | null;
  /** From its start to its first text, in milliseconds: the time of searches and reasoning. */
  readonly firstTextMs: number | null;
  readonly storage: Reply["storage"] | null;
}

/** A message of a conversation. */
export interface Message {
  readonly id: string;
  /** Stays the same when a stored message takes the place of one that was sent. */
  readonly key: string;
  readonly parentId: string | null;
  readonly role: StoredMessage["role"];
  readonly text: string;
  readonly files: readonly ShownFile[];
  /** Only of a reply that is over. */
  readonly reply?: ReplyContent | undefined;
  /** Whether the server has it, under this id. */
  readonly isStored: boolean;
}

/** A reply before its first event. */
export const emptyReply: ReplyContent = {
  status: "running",
  plan: "",
  answer: null,
  reasoning: "",
  tools: [],
  searches: [],
  sources: [],
  error: null,
  finishReason: null,
  usage: null,
  model: null,
  durationMs: null,
  startedAtMs: null,
  firstTextMs: null,
  storage: null,
};

/** Returns a reply that is not stored, to the message `parentId`. */
export function toLocalReply(id: string, key: string, parentId: string): Message {
  return { id, key, parentId, role: "assistant", text: "", files: [], isStored: false };
}

/** Returns a message that is being sent. */
export function toLocalQuestion(
  idempotencyKey: string,
  message: Pick<Message, "parentId" | "text" | "files">,
): Message {
  const id = `question-${idempotencyKey}`;
  return { ...message, id, key: id, role: "user", isStored: false };
}

/** Returns new files as they are shown. */
export function toShownFiles(files: readonly KeptFile[]): readonly ShownFile[] {
  return files.map(({ id, file }) => ({ id, file, mediaType: file.type, name: file.name }));
}

/** Returns those of a message's files that are new. */
export function toNewFiles(files: readonly ShownFile[]): readonly KeptFile[] {
  return files.filter((file) => "file" in file);
}

/** Returns a stored message. @param key default: its id. */
export function toMessage(stored: StoredMessage, key = stored.id): Message {
  const { id, parentId, role, content, attachments } = stored;
  const reply = role === "assistant" ? toReplyContent(stored) : undefined;
  return { id, key, parentId, role, text: content, files: attachments, reply, isStored: true };
}

/** Returns the reply of a turn's state. */
export function toContent(state: TurnState): ReplyContent {
  const { status, plan, answer, tools, error, finishReason, usage, model, timings, storage } = state;
  const { durationMs, firstTextMs } = timings;
  return {
    ...emptyReply,
    status,
    plan,
    answer,
    tools,
    searches: state.searches ?? [],
    sources: state.sources ?? [],
    error,
    finishReason,
    usage,
    model,
    durationMs,
    firstTextMs,
    storage,
  };
}

function toReplyContent(stored: StoredMessage): ReplyContent {
  const { content, status, tools, searches, sources, metadata } = stored;
  const { plan, model, finish_reason: finishReason, usage } = metadata;
  return {
    ...emptyReply,
    status: status ?? "complete",
    plan: toText(plan) ?? "",
    answer: content,
    tools: tools ?? [],
    searches: searches ?? [],
    sources: sources ?? [],
    model: toText(model),
    finishReason: toText(finishReason),
    usage: toUsage(usage),
    durationMs: toNumber(metadata["duration_ms"]),
    firstTextMs: toNumber(metadata["first_text_ms"]),
    storage: "stored",
  };
}

function toUsage(value: unknown): ReplyContent["usage"] {
  if (typeof value !== "object" || value === null) return null;
  const { input_tokens: inputTokens, output_tokens: outputTokens }: Partial<Record<string, unknown>> = {
    ...value,
  };
  if (typeof inputTokens !== "number" || typeof outputTokens !== "number") return null;
  return { inputTokens, outputTokens };
}

function toNumber(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

function toText(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
