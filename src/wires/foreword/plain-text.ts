/** The plain-text stream, as frontends of the Flask service read it. */
import { toErrorMessage } from "../../base/errors.ts";
import { toBodyText } from "../../turn/body.ts";
import { utf8, type TurnEvent } from "../../turn/turn-event.ts";
import type { StreamWire } from "../../http/turns/stream-wire.ts";

/** The body and nothing else. A client can resume at any byte. */
export const plainText: StreamWire = {
  headers: { "content-type": "text/plain; charset=utf-8" },
  commitsAt: "first-text",
  heartbeat: undefined,
  cutsOff: true,
  project: () => ({
    toChunk: (event, skipBytes) => {
      const bytes = utf8 in event ? event[utf8] : undefined;
      if (bytes === undefined && skipBytes === 0) return toPlainText(event);
      return (bytes ?? Buffer.from(toPlainText(event))).subarray(skipBytes);
    },
  }),
};

/** Returns the text that an event adds to the body, or the error line of a reply that is cut off. */
export function toPlainText(event: TurnEvent): string {
  switch (event.type) {
    case "turn-start":
    case "reasoning-delta":
    case "tool-call-start":
    case "tool-call-delta":
    case "tool-call":
    case "tool-result":
    case "approval-request":
    case "approval-response":
    case "search":
    case "source":
    case "turn-waiting":
      return "";
    case "plan-delta":
    case "plan-end":
    case "answer-delta":
      return toBodyText(event);
    case "turn-end":
      return event.error === undefined
        ? ""
        : `\n[error] ${event.error.code}: ${toErrorMessage(event.error.code, event.error.detail)}\n`;
  }
}
