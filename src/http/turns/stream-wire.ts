/** The interface of a wire that streams: its headers, its events, when its status is decided, how it ends. */
import type { TurnEvent } from "../../turn/turn-event.ts";

/** Converts the events of a turn for one client. The result depends on the events alone. */
export interface Projection {
  /**
   * Returns the next event on this wire. The client already has `skipBytes` of its first character, or of the
   * boundary: only a wire of bytes can leave them out.
   */
  toChunk(event: TurnEvent, skipBytes: number): string | Uint8Array;
  /** Whether the stream ends here, though the turn may go on; absent means at the turn's last event. */
  readonly isOver?: boolean;
}

/** How a wire carries the title of a conversation. */
export interface TitleWire {
  /** Returns the end of a stream's last words, which comes after the title. */
  readonly toClosing: (lastWords: string) => string;
  readonly toChunk: (title: string, conversationId: string | undefined) => string;
}

/** A streaming protocol. */
export interface StreamWire {
  readonly headers: { readonly "content-type": string } & Readonly<Record<string, string>>;
  /**
   * When the status is decided: a failure before that is an HTTP error. `first-delta` is the first text or
   * reasoning. A wire with a heartbeat decides at its first heartbeat at the latest.
   */
  readonly commitsAt: "turn-start" | "first-delta" | "first-text";
  /** Sent after 15 s of silence; `undefined` if the wire has no event without meaning. */
  readonly heartbeat: string | undefined;
  /** Whether an incomplete reply ends with a cut connection, since the wire has no other sign for it. */
  readonly cutsOff: boolean;
  /** Whether no stream is ever cut, even if another process still runs the turn; absent if some are. */
  readonly endsInOrder?: boolean;
  /** How it carries the title of a conversation after the end of its first turn; absent if it cannot. */
  readonly title?: TitleWire | undefined;
  /** Starts a projection for a client that has `position` bytes of the body. */
  project(position: number): Projection;
}

/** A comment, which readers of event streams ignore. */
export const sseHeartbeat = ": keep-alive\n\n";
