/** A turn in progress: read from its start or resumed, and drawn once per frame. */
import {
  ForewordError,
  type ChatRequest,
  type ForewordClient,
  type Place,
  type StreamEvent,
  type Turn,
} from "foreword-client";
import type { Network } from "../../base/network.ts";
import { followTurn, type Following } from "./follow-turn.ts";
import { LiveReply } from "./live-reply.ts";
import type { Message, ReplyContent } from "./message.ts";

/** How a turn is opened. */
export interface Opening {
  readonly idempotencyKey: string;
  /** To start it, or to start it again if it is unknown; `undefined`: it exists. */
  readonly request: ChatRequest | undefined;
  /** To resume it; `undefined`: it is new. */
  readonly turnId: string | undefined;
}

interface TurnServices {
  readonly client: ForewordClient;
  readonly network: Network;
  readonly schedule: (draw: () => void) => void;
  /** Aborted when the page no longer shows the conversation. */
  readonly signal: AbortSignal;
}

/** A turn that is followed. */
export class RunningTurn {
  /** The message that it answers. */
  readonly question: Message;
  /** Identifies the reply in the list of messages. */
  readonly key: string;
  /** Called after the first event, when the server has the turn, with the id that it had until then. */
  onStart: (earlierId: string) => void = () => {};
  /** Called with the reply so far, at most once per frame. */
  onDraw: (content: ReplyContent) => void = () => {};
  readonly #services: TurnServices;
  readonly #reply = new LiveReply();
  #opening: Opening;
  #turn: Turn | undefined;
  #turnId: string;
  #after: Place | undefined;
  #hasStarted = false;
  #isDrawing = false;

  constructor(services: TurnServices, question: Message, opening: Opening) {
    this.#services = services;
    this.question = question;
    this.#opening = opening;
    this.#turnId = opening.turnId ?? "";
    this.key = `reply-${opening.idempotencyKey}`;
  }

  /** Its id, which may change once: to that of an earlier turn with the same key. */
  get turnId(): string {
    return this.#turnId;
  }

  /** Whether the server has it. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /** The reply so far. */
  get content(): ReplyContent {
    return this.#reply.content;
  }

  /**
   * Opens the turn at once, so that {@link turnId} is known, and resolves when it is over or waits for its
   * user: then it may be called again.
   * @throws as `followTurn` does.
   */
  async follow(): Promise<void> {
    const { network, signal } = this.#services;
    const following: Following = {
      open: (attempt) => this.#open(attempt),
      take: (event, turn) => this.#take(event, turn),
      network,
      signal,
    };
    try {
      await followTurn(following);
    } catch (error) {
      const isLost = error instanceof ForewordError && error.code === "not_found" && !this.#hasStarted;
      if (!isLost || this.#opening.request === undefined || this.#opening.turnId === undefined) throw error;
      this.#opening = { ...this.#opening, turnId: undefined }; // its request never arrived
      await followTurn(following);
    }
  }

  /** Stops it on the server. */
  async stop(): Promise<void> {
    if (this.content.status === "waiting" || this.#turn === undefined)
      await this.#services.client.stop(this.#turnId);
    else await this.#turn.stop();
  }

  /** Resolves with the title that a model makes, if it makes one now. */
  async title(): Promise<string | undefined> {
    return await this.#turn?.title();
  }

  #open(signal: AbortSignal): Turn {
    const { client } = this.#services;
    const { request, idempotencyKey, turnId } = this.#opening;
    const isNew = !this.#hasStarted && turnId === undefined && request !== undefined;
    this.#turn = isNew
      ? client.start(request, { idempotencyKey, signal })
      : client.resume(this.#turnId, { after: this.#after, signal });
    this.#turnId = this.#turn.id;
    return this.#turn;
  }

  #take(event: StreamEvent, turn: Turn): void {
    const earlierId = this.#turnId;
    this.#turnId = turn.id;
    if ("position" in event)
      this.#after = { position: event.position, ordinal: "ordinal" in event ? event.ordinal : 0 };
    this.#reply.take(event);
    if (!this.#hasStarted) {
      this.#hasStarted = true;
      this.onStart(earlierId);
    }
    this.#draw();
  }

  #draw(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    this.#services.schedule(() => {
      this.#isDrawing = false;
      if (!this.#services.signal.aborted) this.onDraw(this.content);
    });
  }
}
