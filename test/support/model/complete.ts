/** Asks a model server for one reply, as a turn does. */
import type { AppError } from "../../../src/base/errors.ts";
import type { Prompt } from "../../../src/turn/instructions.ts";
import type { Model, ModelEnd, ToolCallPiece } from "../../../src/turn/ports.ts";

/** A reply that is over. */
export interface Completed {
  /** The reply in order: texts, and pieces of calls. */
  readonly pieces: (string | ToolCallPiece)[];
  readonly end: ModelEnd | undefined;
  readonly error: AppError | undefined;
}

/** Resolves with the reply to a chat; its messages and parameters are empty by default. */
export function complete(
  model: Model,
  prompt: Partial<Extract<Prompt, { kind: "chat" }>>,
): Promise<Completed> {
  const { promise, resolve } = Promise.withResolvers<Completed>();
  const pieces: (string | ToolCallPiece)[] = [];
  const sink = {
    text: (piece: string) => void pieces.push(piece),
    toolCall: (piece: ToolCallPiece) => void pieces.push(piece),
    end: (end: ModelEnd) => resolve({ pieces, end, error: undefined }),
    fail: (error: AppError) => resolve({ pieces, end: undefined, error }),
    restart: () => pieces.length === 0,
    judge: () => undefined,
  };
  model.complete({ kind: "chat", instruction: undefined, messages: [], parameters: {}, ...prompt }, sink);
  return promise;
}
