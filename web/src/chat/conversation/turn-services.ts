/** What turns need of the page. */
import type { ForewordClient } from "../../base/foreword-client.ts";
import type { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Network } from "../../base/network.ts";
import type { BrowserMemory } from "./browser-memory.ts";
import type { FileStorage } from "./kept-files.ts";

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

/** The same for the turns of one conversation. */
export interface ShownServices extends TurnServices {
  /** Aborted when the page no longer shows the conversation. */
  readonly signal: AbortSignal;
}
