/** Owns the end of a turn of which only its text is left: its process is gone. */
import { v7 as createId } from "uuid";
import { toBody } from "./body.ts";
import { digestContent } from "./message-tree.ts";
import type { TurnResult } from "./ports.ts";

/** Returns the end of a turn whose body was `text` as far as anybody knows. */
export function toInterruptedResult(text: string, endedAt: Date): TurnResult {
  const body = toBody(text);
  const content = (body.answer ?? "").trim();
  return {
    outcome: "interrupted",
    body,
    reply:
      text === ""
        ? undefined
        : { id: createId(), content, contentDigest: digestContent("assistant", content), plan: body.plan },
    model: undefined,
    finishReason: undefined,
    usage: undefined,
    errorCode: "interrupted",
    endedAt,
    durationMs: undefined,
    firstTextMs: undefined,
  };
}
