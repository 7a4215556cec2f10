/** The events of a server beyond its responses: one union, for logs, metrics and traces. */
import type { AppError, ErrorCode } from "../base/errors.ts";
import type { EndResult, TurnBegin, TurnResult } from "./ports.ts";
import type { ReportedUsage, SourceKind } from "./turn-event.ts";

/** The turn that an event is about. */
type ObservedTurn = Pick<TurnBegin, "turnId" | "conversationId">;

/** An event that an operator may want to know. None is told per piece of a reply. */
export type ObservedEvent =
  /** A turn is over; `error` is why it failed. */
  | {
      readonly type: "turn-ended";
      readonly turn: TurnBegin;
      readonly result: TurnResult;
      readonly ended: EndResult;
      readonly error: AppError | undefined;
    }
  /** A turn waits for its user to approve a call of a tool; no process runs it. */
  | { readonly type: "turn-waiting"; readonly turn: TurnBegin }
  /** A turn that another process left running was ended as interrupted. */
  | { readonly type: "turn-recovered"; readonly turnId: string }
  /** The store has not taken a write in time; it waits in the journal. */
  | { readonly type: "write-queued"; readonly turn: ObservedTurn; readonly error: AppError | undefined }
  /** A write that waited in the journal is in the store. */
  | { readonly type: "write-stored"; readonly turn: ObservedTurn }
  /** The store will never take a write; the journal quarantines it. */
  | { readonly type: "write-rejected"; readonly turn: ObservedTurn; readonly error: AppError }
  /** A write is neither in the store nor in the journal. */
  | { readonly type: "write-lost"; readonly turn: ObservedTurn; readonly error: AppError }
  /** The conversation was deleted while its turn ran, and stays deleted. */
  | { readonly type: "conversation-deleted"; readonly turn: ObservedTurn }
  /** The store failed outside of any call that could report it. */
  | { readonly type: "store-trouble"; readonly error: AppError }
  /** The bus that is configured beside the database does not work, for this reason; or works again. */
  | { readonly type: "bus-changed"; readonly trouble: string | undefined }
  /** The model made no title for a conversation, which keeps the one made of its question. */
  | { readonly type: "title-failed"; readonly turn: ObservedTurn; readonly error: AppError }
  /** A search for sources failed; its turn goes on without. */
  | {
      readonly type: "search-failed";
      readonly kind: SourceKind;
      readonly error: AppError;
      readonly durationMs: number;
    }
  /** A question's vector came not, or not in time; its words alone are searched for. */
  | { readonly type: "question-not-embedded"; readonly error: AppError; readonly durationMs: number }
  /** Passages could not be embedded. They are found by their words, and tried again after so long. */
  | { readonly type: "embedding-paused"; readonly error: AppError; readonly waitMs: number }
  /** The database cannot store vectors: documents are found by their words alone. */
  | { readonly type: "vectors-unavailable"; readonly missing: "extension" | "schema" }
  /** The search starts to index older messages and titles. */
  | { readonly type: "search-backlog-started" }
  /** Older messages and titles can be searched; this process indexed `count` of them. */
  | { readonly type: "search-backlog-indexed"; readonly count: number }
  /** Retention deleted `count` conversations. */
  | { readonly type: "conversations-expired"; readonly count: number }
  /** The start of a long chat was summarised. */
  | { readonly type: "chat-summarised"; readonly conversationId: string; readonly model: string }
  /** The start of a long chat could not be summarised; the chat goes on without. */
  | { readonly type: "summary-failed"; readonly conversationId: string; readonly error: AppError }
  | ModelEvent
  | ToolServerEvent
  | MeasuredEvent;

/** An event of a model, identified by its configured name. All but the last are of those with fallbacks. */
export type ModelEvent =
  /** It failed before the client saw anything; `next` is asked instead. */
  | { readonly type: "model-left"; readonly model: string; readonly next: string; readonly error: AppError }
  /** It failed, and is left alone for so long, in milliseconds, if another can reply. */
  | {
      readonly type: "model-avoided";
      readonly model: string;
      readonly waitMs: number;
      readonly error: AppError;
    }
  /** It replies again. */
  | { readonly type: "model-recovered"; readonly model: string }
  /** It refused a parameter, and replied without it or with `instead`; so it is asked from now on. */
  | {
      readonly type: "parameter-refused";
      readonly model: string;
      readonly parameter: string;
      readonly instead: string | undefined;
    };

/** An event of a server of tools, which its name in the settings identifies. */
export type ToolServerEvent =
  /** It is connected, and has so many tools that may be used. */
  | { readonly type: "tool-server-connected"; readonly server: string; readonly toolCount: number }
  /** Its list of tools has changed; turns may use this many of them. */
  | { readonly type: "tool-list-changed"; readonly server: string; readonly toolCount: number }
  /** Its connection was lost; it is connected again as soon as that is possible. */
  | { readonly type: "tool-server-lost"; readonly server: string; readonly reason: string }
  /** It cannot be reached, for a reason that was not told before. Its tools are unavailable. */
  | { readonly type: "tool-server-refused"; readonly server: string; readonly reason: string }
  /** A tool is left out, or its settings have no effect. */
  | {
      readonly type: "tool-warning";
      readonly server: string;
      readonly tool: string;
      readonly reason: string;
    }
  /** It wrote a line to its standard error. */
  | { readonly type: "tool-server-wrote"; readonly server: string; readonly text: string };

/** An event that is measured or counted. */
export type MeasuredEvent =
  /** A function of the database was called; `error` is why it failed. */
  | {
      readonly type: "store-called";
      readonly function: string;
      readonly durationMs: number;
      readonly error: AppError | undefined;
    }
  /** A configured model was called, for a turn or for another text. Only told if calls are measured. */
  | {
      readonly type: "model-called";
      readonly model: string;
      /** `aborted`: the rest of the reply was not wanted any more. */
      readonly result: "ok" | "aborted" | ErrorCode;
      readonly durationMs: number;
      /** From the call to the first piece of the reply, whatever it holds; absent if none came. */
      readonly firstChunkMs: number | undefined;
      readonly gaps: ChunkGaps;
      readonly usage: ReportedUsage | undefined;
    }
  /** A request was responded to, and the response has ended. */
  | {
      readonly type: "request-ended";
      /** `undefined` if the request could not be read, as `route` is; without a route it is so, too. */
      readonly method: string | undefined;
      /** The pattern of its route, like `/turns/:turnId`. */
      readonly route: string | undefined;
      readonly status: number;
      readonly error: AppError | undefined;
    }
  /** A document of a knowledge base was read, or could not be read. */
  | {
      readonly type: "document-read";
      readonly documentId: string;
      readonly knowledgeBaseId: string;
      readonly userId: string | undefined;
      /** Like `pdf`. */
      readonly documentType: string;
      /** `undefined` if its original is gone. */
      readonly sizeBytes: number | undefined;
      readonly pages: number;
      readonly passages: number;
      readonly durationMs: number;
      readonly errorCode: ErrorCode | undefined;
    };

/** The upper bounds of {@link ChunkGaps}, in milliseconds. */
export const chunkGapBoundsMs = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000] as const;

/** The times between the pieces of a reply. */
export interface ChunkGaps {
  /** How many there were up to each bound of {@link chunkGapBoundsMs}, and above all of them. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}

/** Told of every event, in the tick in which it happens. Must not throw, and must not wait. */
export type Observer = (event: ObservedEvent) => void;

/** Returns an observer that tells each of `observers`, in their order. */
export function combine(...observers: readonly Observer[]): Observer {
  const [only] = observers;
  if (observers.length === 1 && only !== undefined) return only;
  return (event) => {
    for (const observe of observers) observe(event);
  };
}
