/** Owns what a wire that streams is: how it looks, when its status is decided, how it ends. */
import type { TurnEvent } from "../turn/turn-event.ts";

/** A turn on its way to one client: what comes out depends on the events alone. */
export interface Projection {
  /**
   * Returns what the next event is on this wire. `skipBytes` of its first character, or of the boundary, the client has
   * already: only a wire that is made of bytes can leave them out.
   */
  toChunk(event: TurnEvent, skipBytes: number): string | Uint8Array;
}

/** A protocol that a client may ask for. */
export interface StreamWire {
  readonly headers: { readonly "content-type": string } & Readonly<Record<string, string>>;
  /**
   * When the status is decided: what fails before is an HTTP error. `first-delta`: the first text, or reasoning. A wire that
   * has a heartbeat does not wait longer than for that.
   */
  readonly commitsAt: "turn-start" | "first-delta" | "first-text";
  /** What is sent after 15 s of silence; `undefined` where the wire has nothing that says nothing. */
  readonly heartbeat: string | undefined;
  /** Whether a reply that is not complete must end in a connection that is cut, since the wire has no other sign. */
  readonly cutsOff: boolean;
  /** Starts a projection for a client that has `position` bytes of the body. */
  project(position: number): Projection;
}

/** A comment, which every reader of an event stream ignores. */
export const sseHeartbeat = ": keep-alive\n\n";
