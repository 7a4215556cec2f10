/** The messages between the embedded database and its thread. */
import type { JsonText } from "../../../base/json/long-json.ts";
import type { TableNames } from "../../schema/schema.ts";
import type { FolderCopying, FunctionName } from "../database.ts";

/** How the database is opened. */
export interface PgliteOptions {
  readonly tables: TableNames;
  /** Whether to load the extension that stores vectors. */
  readonly hasVectors: boolean;
}

/** A failure: SQLSTATE, or an empty code, and a message. */
export interface SessionFailure {
  readonly code: string;
  readonly message: string;
}

/** The data that the thread starts with. */
export interface WorkerData extends PgliteOptions {
  readonly folder: string;
}

/** A call as the thread gets it. */
export interface WorkerCall {
  readonly name: FunctionName;
  readonly argument: JsonText;
}

/** The outcome of a call: its result, or why it failed. */
export type CallOutcome = { readonly result: string } | SessionFailure;

/** Calls to make in this order. */
export interface WorkerCalls {
  readonly id: number;
  readonly calls: readonly WorkerCall[];
}

/** A message to the thread: calls, or a step of a copy, one at a time. */
export type WorkerRequest = "close" | WorkerCalls | { readonly copyStep: keyof FolderCopying };

/** A message from the thread. */
export type WorkerReply =
  | { readonly type: "ready" }
  /** It cannot be opened; the code is a SQLSTATE, or empty. */
  | { readonly type: "broken"; readonly code: string; readonly message: string }
  /** One outcome for each call. */
  | { readonly type: "outcomes"; readonly id: number; readonly outcomes: readonly CallOutcome[] }
  | { readonly type: "copy-step"; readonly outcome: CallOutcome };
