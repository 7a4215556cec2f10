/** A turn in progress: read from its start or resumed, and drawn once per frame. */
import {
  ForewordError,
  type ChatRequest,
  type Place,
  type StreamEvent,
  type Turn,
} from "../../base/foreword-client.ts";
import { followTurn } from "./follow-turn.ts";
import { LiveReply } from "./live-reply.ts";
import type { Message, ReplyContent } from "./message.ts";
import { completeRequest } from "./turn-request.ts";
import type { ShownServices } from "./turn-services.ts";

/** How a turn is opened. */
export interface Opening {
  readonly idempotencyKey: string;
  /** To start it, or to start it again if it is unknown; `undefined`: it exists. Completed when it leaves. */
  readonly request: ChatRequest | undefined;
  /** The new files of the message. */
  readonly fileIds: readonly string[];
  /** To resume it; `undefined`: it is new. */
  readonly turnId: string | undefined;
}

type RunServices = Pick<ShownServices, "client" | "clock" | "network" | "schedule" | "signal">;

/** A turn that is followed. */
export class RunningTurn {
  /** The message that it answers. */
  readonly question: Message;
  /** Identifies the reply in the list of messages. */
  readonly key: string;
  /** Whether this page, or an earlier one, has started it; else another tab or device. */
  isOwn = true;
  /** Called before its request leaves, with its id: after a reload it can be resumed by that. */
  onOpen: () => void = () => {};
  /** Called after the first event, when the server has the turn, under its final id. */
  onStart: () => void = () => {};
  /** Called with the reply so far, at most once per frame. */
  onDraw: (content: ReplyContent) => void = () => {};
  readonly #services: RunServices;
  readonly #reply: LiveReply;
  readonly #opening: Opening;
  readonly #taking = new AbortController();
  #turn: Turn | undefined;
  /** The last call of {@link follow}. */
  #following = Promise.resolve();
  #turnId: string;
  #after: Place | undefined;
  #hasStarted = false;
  /** Whether the last request was one to start it. */
  #isNew = false;
  #isDrawing = false;

  constructor(services: RunServices, question: Message, opening: Opening) {
    this.#services = services;
    this.#reply = new LiveReply(services.clock);
    this.question = question;
    this.#opening = opening;
    this.#turnId = opening.turnId ?? "";
    this.key = `reply-${opening.idempotencyKey}`;
  }

  /** Its id, which may change once: to that of an earlier turn with the same key. */
  get turnId(): string {
    return this.#turnId;
  }

  /** What its request is known by. */
  get idempotencyKey(): string {
    return this.#opening.idempotencyKey;
  }

  /** Whether its user has taken it back before it started. */
  get isTaken(): boolean {
    return this.#taking.signal.aborted;
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
   * Resolves when the turn is over or waits for its user: then it may be called again. Calls follow one after
   * another, so that no event is taken twice.
   * @throws as `followTurn` does; LostFileError.
   */
  async follow(): Promise<void> {
    const last = this.#following;
    this.#following = last.catch(() => {}).then(async () => await this.#followOnce());
    await this.#following;
  }

  /** Stops it on the server. Without a network, a turn that has not started is taken back. */
  async stop(): Promise<void> {
    const { client, network } = this.#services;
    const isUnsent = this.#turn === undefined || network.store.state !== "online";
    if (!this.#hasStarted && isUnsent) {
      this.#taking.abort();
      if (this.#turn !== undefined) void client.stop(this.#turnId).catch(() => {}); // it may have arrived
    } else if (this.content.status === "waiting" || this.#turn === undefined) await client.stop(this.#turnId);
    else await this.#turn.stop();
  }

  /** Resolves with the title that a model makes, if it makes one now. */
  async title(): Promise<string | undefined> {
    return await this.#turn?.title();
  }

  async #followOnce(): Promise<void> {
    const { status } = this.content;
    if (status !== "running" && status !== "waiting") return;
    const { request, turnId, fileIds } = this.#opening;
    if (this.#hasStarted || request === undefined) return await this.#follow(undefined);
    if (turnId !== undefined) {
      try {
        return await this.#follow(undefined);
      } catch (error) {
        const isUnknown = error instanceof ForewordError && error.code === "not_found" && !this.#hasStarted;
        if (!isUnknown) throw error; // else its request never arrived
      }
    }
    await this.#follow(await completeRequest(request, this.question, fileIds.length));
  }

  async #follow(request: ChatRequest | undefined): Promise<void> {
    const { network, signal } = this.#services;
    await followTurn({
      open: (attempt) => this.#open(request, attempt),
      take: (event, turn) => this.#take(event, turn),
      network,
      signal: AbortSignal.any([signal, this.#taking.signal]),
    });
  }

  #open(request: ChatRequest | undefined, signal: AbortSignal): Turn {
    const { client } = this.#services;
    const { idempotencyKey } = this.#opening;
    const isNew = request !== undefined && !this.#hasStarted;
    this.#isNew = isNew;
    this.#turn = isNew
      ? client.start(request, { idempotencyKey, signal })
      : client.resume(this.#turnId, { after: this.#after, signal });
    this.#turnId = this.#turn.id;
    this.onOpen();
    return this.#turn;
  }

  #take(event: StreamEvent, turn: Turn): void {
    this.#turnId = turn.id;
    if ("position" in event)
      this.#after = { position: event.position, ordinal: "ordinal" in event ? event.ordinal : 0 };
    this.#reply.take(event, this.#isNew);
    if (!this.#hasStarted) {
      this.#hasStarted = true;
      this.onStart();
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
