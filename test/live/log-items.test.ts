/** The log's promise for items: a reader that resumes after any event misses none, and gets none twice. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { TurnLog } from "../../src/live/turn-log.ts";
import { BodyReader, boundaryBytes } from "../../src/turn/body.ts";
import { interleave } from "../../src/turn/items/items.ts";
import { isItem, isSaved, type TurnEvent } from "../../src/turn/turn-event.ts";
import { SeededRandom } from "../support/model/seeded-reply.ts";

const runs = 10_000;
const alphabet = ["a", "é", "語", "🙂", "\n", "x".repeat(40)];

/** A log that grows by random events. */
class RandomTurn {
  readonly log = new TurnLog();
  /** The events so far, in units that no log cuts: characters, and whole items. */
  readonly units: string[] = [];
  readonly savedUnits: string[] = [];
  readonly #random: SeededRandom;
  #position = 0;
  #ordinal = 0;
  #calls = 0;
  #hasBoundary = false;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  step(): void {
    const event = this.#createEvent();
    this.log.append(event);
    this.units.push(...toUnits(event));
    if (!isItem(event) || isSaved(event)) this.savedUnits.push(...toUnits(event));
  }

  #createEvent(): TurnEvent {
    const text = alphabet[this.#random.integer(0, alphabet.length - 1)] ?? "";
    const callId = `c${this.#calls}`;
    switch (this.#random.integer(0, 6)) {
      case 0:
        return { type: "reasoning-delta", text, ...this.#toPlace(Buffer.byteLength(text)) };
      case 1:
        return { type: "tool-call-delta", callId, text, ...this.#toPlace(Buffer.byteLength(text)) };
      case 2: {
        this.#calls += 1;
        const call = { name: "w", title: undefined, runsOn: "server", step: 0, input: "{}" } as const;
        return { type: "tool-call", callId, ...call, ...this.#toPlace(1) };
      }
      case 3:
        return { type: "tool-result", callId, status: "complete", output: text, ...this.#toPlace(1) };
      case 4:
        if (!this.#hasBoundary) {
          this.#hasBoundary = true;
          return { type: "plan-end", position: this.#advance(boundaryBytes) };
        }
    }
    const position = this.#advance(Buffer.byteLength(text));
    return { type: this.#hasBoundary ? "answer-delta" : "plan-delta", text, position };
  }

  #toPlace(units: number): { readonly position: number; readonly ordinal: number } {
    this.#ordinal += units;
    return { position: this.#position, ordinal: this.#ordinal };
  }

  #advance(bytes: number): number {
    this.#ordinal = 0;
    this.#position += bytes;
    return this.#position;
  }
}

/** Returns an event as units that do not depend on how texts are joined and cut. */
function toUnits(event: TurnEvent): readonly string[] {
  if (!("text" in event)) return [JSON.stringify(event)];
  const kind = "callId" in event ? `${event.type} ${event.callId}` : event.type;
  return Array.from(event.text, (character) => `${kind}: ${character}`);
}

/** Reads at most `most` events after a place; returns their units, and the place of the last one. */
function readSome({ log }: RandomTurn, [position, ordinal]: readonly [number, number], most: number) {
  const cursor = log.read(position, ordinal);
  const units: string[] = [];
  let place = [position, ordinal] as const;
  for (let count = 0; count < most; count += 1) {
    const event = cursor.nextLogged();
    if (event === undefined) break;
    units.push(...toUnits(event));
    place = [event.position, isItem(event) ? event.ordinal : 0];
  }
  return { units, place };
}

describe("items of a log", () => {
  test(`are the same for a reader that is cut after any event and resumes by its id, ${runs} times`, (context) => {
    const seed = randomUUID();
    const random = new SeededRandom(seed);
    const counts = { events: 0, cuts: 0, different: 0 };
    for (let run = 0; run < runs; run += 1) {
      const turn = new RandomTurn(random);
      const eventCount = random.isOneIn(60) ? random.integer(300, 900) : random.integer(1, 40);
      const seen: string[] = [];
      let place: readonly [number, number] = [0, 0];
      for (let event = 0; event < eventCount; event += 1) {
        turn.step();
        if (!random.isOneIn(8)) continue;
        const part = readSome(turn, place, random.integer(1, 12));
        seen.push(...part.units);
        ({ place } = part);
        counts.cuts += 1;
      }
      seen.push(...readSome(turn, place, Infinity).units);
      const { events } = interleave(new BodyReader(), turn.log.textAfter(0), turn.log.itemsAfter());
      const isEqual = seen.join("\n") === turn.units.join("\n");
      const isStoredEqual = events.flatMap(toUnits).join("\n") === turn.savedUnits.join("\n");
      if (!isEqual || !isStoredEqual) counts.different += 1;
      counts.events += eventCount;
    }
    for (const [name, value] of Object.entries(counts)) context.diagnostic(`figure: ${name}: ${value}`);
    assert.equal(counts.different, 0, `seed ${seed}`);
  });
});
