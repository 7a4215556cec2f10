/** The plan and the model's reasoning of a run: both are messages of reasoning. */
import { utf8, type BodyDelta, type Place, type ReasoningDelta } from "../../../turn/turn-event.ts";
import { beforeText } from "./event-id.ts";
import type { EventWriter } from "./event-writer.ts";
import { afterwards, ranks, type ToPlace } from "./ranks.ts";

/** Writes the plan and the reasoning. Reasoning closes no other message: another process may not have it. */
export class Thoughts {
  /** The id of the turn, which the ids of its messages start with. */
  turnId = "";
  readonly #writer: EventWriter;
  /** The open messages. */
  #planId: string | undefined;
  #reasoningId: string | undefined;
  /** How many there were of each kind. */
  #plans = 0;
  #reasonings = 0;

  constructor(writer: EventWriter) {
    this.#writer = writer;
  }

  addPlan({ text, position, [utf8]: bytes }: BodyDelta): void {
    const start = position - (bytes?.length ?? Buffer.byteLength(text));
    const toPlace: ToPlace = (rank) => beforeText(start, rank);
    this.endReasoning(toPlace);
    if (this.#planId === undefined) {
      this.#plans += 1;
      this.#planId = `${this.turnId}-plan${this.#plans === 1 ? "" : `-${this.#plans}`}`;
      this.#start(this.#planId, toPlace);
    }
    this.#add(this.#planId, text, { position, ordinal: 0 });
  }

  addReasoning({ text, position, ordinal }: ReasoningDelta): void {
    const start = ordinal - Buffer.byteLength(text);
    if (this.#reasoningId === undefined) {
      this.#reasonings += 1;
      this.#reasoningId = `${this.turnId}-reasoning-${this.#reasonings}`;
      this.#start(this.#reasoningId, (rank) => ({ position, ordinal: start, rank: rank + afterwards }));
    }
    this.#add(this.#reasoningId, text, { position, ordinal });
  }

  /** Closes the model's reasoning, if it is open. */
  endReasoning(toPlace: ToPlace): void {
    const id = this.#reasoningId;
    this.#reasoningId = undefined;
    this.#end(id, [ranks.reasoningMessageEnd, ranks.reasoningEnd], toPlace);
  }

  /** Closes all that is open. */
  endAll(toPlace: ToPlace): void {
    this.endReasoning(toPlace);
    const id = this.#planId;
    this.#planId = undefined;
    this.#end(id, [ranks.planMessageEnd, ranks.planEnd], toPlace);
  }

  #start(messageId: string, toPlace: ToPlace): void {
    this.#writer.send({ type: "REASONING_START", messageId }, toPlace(ranks.reasoningStart));
    const start = { type: "REASONING_MESSAGE_START", messageId, role: "reasoning" } as const;
    this.#writer.send(start, toPlace(ranks.reasoningMessageStart));
  }

  #add(messageId: string, text: string, at: Place): void {
    this.#writer.sendDelta("REASONING_MESSAGE_CONTENT", messageId, text, { ...at, rank: 0 });
  }

  #end(
    messageId: string | undefined,
    [messageRank, rank]: readonly [number, number],
    toPlace: ToPlace,
  ): void {
    if (messageId === undefined) return;
    this.#writer.send({ type: "REASONING_MESSAGE_END", messageId }, toPlace(messageRank));
    this.#writer.send({ type: "REASONING_END", messageId }, toPlace(rank));
  }
}
