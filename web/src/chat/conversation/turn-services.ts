/** What turns need of the page, and what it learns of them. */
import type { ForewordClient } from "../../base/foreword-client.ts";
import type { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Network } from "../../base/network.ts";
import type { BrowserMemory, KeptTurn } from "./browser-memory.ts";
import type { Drafts } from "./drafts.ts";
import type { FileStorage } from "./kept-files.ts";
import type { Message } from "./message.ts";

/** The services of the page for turns. */
export interface TurnServices {
  readonly client: ForewordClient;
  readonly memory: BrowserMemory;
  readonly files: FileStorage;
  readonly changes: Changes;
  readonly network: Network;
  readonly clock: Clock;
  /** Calls `draw` once, before the next frame. */
  readonly schedule: (draw: () => void) => void;
}

/** The same for a conversation. */
export interface ConversationServices extends TurnServices {
  readonly drafts: Drafts;
}

/** The same for the turns of one conversation. */
export interface ShownServices extends TurnServices {
  /** Aborted when the page no longer shows the conversation. */
  readonly signal: AbortSignal;
}

/** What the conversation learns of its turns. */
export interface TurnListener {
  readonly onChange: () => void;
  readonly onProblem: (code: string) => void;
  /** The server has a question of this page. */
  readonly onStart: (turnId: string) => void;
  /** A question is not on its way any more, and its turn has not started: it goes back to its user. */
  readonly onRefused: (question: Message, kept: KeptTurn) => void;
  /** A turn has ended that this page, or an earlier one, has started. */
  readonly onEnd: (turnId: string) => void;
  readonly onTitle: (title: string) => void;
}
