/** The mark of a turn on its message, with which a later run goes on. */
import type { ThreadMessage } from "@assistant-ui/react";

/** The turn of a message, and how far it was read. */
export interface TurnMark {
  readonly turnId: string;
  readonly position: number;
  readonly ordinal: number;
  /** The calls of the browser's tools that have no result yet. */
  readonly openCalls: readonly string[];
}

const key = "foreword";

/** Returns metadata with the mark. */
export function toMetadata(mark: TurnMark): { readonly custom: Record<string, unknown> } {
  return { custom: { [key]: mark } };
}

/** Returns the mark of a message, if it has one. */
export function readMark(message: ThreadMessage | undefined): TurnMark | undefined {
  const mark = message?.metadata.custom[key];
  return isMark(mark) ? mark : undefined;
}

function isMark(value: unknown): value is TurnMark {
  return typeof value === "object" && value !== null && "turnId" in value && "openCalls" in value;
}
