/** Owns the plain-text wire: the body that the old service's frontends read. */
import { errorTable } from "../errors.ts";
import { toBodyText } from "../turn/body.ts";
import type { TurnEvent } from "../turn/turn-event.ts";

/** The media type of the wire. */
export const plainTextType = "text/plain; charset=utf-8";

/** Returns what an event adds to the body; empty for one that does not show. */
export function toPlainText(event: TurnEvent): string {
  switch (event.type) {
    case "turn-start":
      return "";
    case "plan-delta":
    case "plan-end":
    case "answer-delta":
      return toBodyText(event);
    case "turn-end":
      return event.error === undefined
        ? ""
        : `\n[error] ${event.error.code}: ${errorTable[event.error.code].publicMessage}\n`;
  }
}
