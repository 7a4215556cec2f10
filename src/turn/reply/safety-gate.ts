/** Holds a turn's events back until the user's message is safe: a turn that fails before shows no text. */
import type { EventOutput, TurnEvent, TurnStart } from "../turn-event.ts";

/** Stands between the events of a reply and their log. */
export class SafetyGate implements EventOutput {
  readonly #output: EventOutput;
  /** `undefined` once the gate is open. */
  #held: TurnEvent[] | undefined = [];

  constructor(output: EventOutput) {
    this.#output = output;
  }

  append(event: TurnEvent): void {
    if (this.#held === undefined) this.#output.append(event);
    else this.#held.push(event);
  }

  /**
   * The user's message is safe: passes on `start` and the held events, and from now on every event at once.
   */
  open(start: TurnStart): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#output.append(start);
    for (const event of held) this.#output.append(event);
  }

  /** The user's message cannot be made safe: forgets the held events, and passes on `start`. */
  refuse(start: TurnStart): void {
    this.#held = [];
    this.open(start);
  }
}
