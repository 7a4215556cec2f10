/** The result of a turn's begin in the database. */
import { AppError } from "../../base/errors.ts";
import type { Observer } from "../../turn/observer.ts";
import type { BeginResult, TurnBegin } from "../../turn/ports.ts";
import type { SaveResult } from "./save-result.ts";

/**
 * Returns the begin's result for the turn.
 * @throws AppError `storage_full`.
 */
export function toBeginResult(saved: SaveResult, turn: TurnBegin, observe: Observer): BeginResult {
  switch (saved.type) {
    case "saved": {
      const { conversationId, history, left } = saved;
      return { type: "begun", storage: "stored", conversationId, history, left };
    }
    case "full":
      throw new AppError("storage_full", `the attachments of ${turn.caller.userId ?? "unnamed users"}`);
    case "deleted":
      observe({ type: "conversation-deleted", turn });
      return { type: "begun", storage: "none", conversationId: turn.conversationId };
    case "taken":
    case "exists":
    case "running":
    case "missing":
    case "foreign":
    case "limited":
      return saved;
  }
}
