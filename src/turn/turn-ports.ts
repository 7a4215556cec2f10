/** Owns what one turn is run with, and where its events go. */
import type { OpenedReasoning } from "./reply/opened-reasoning.ts";
import type { Clock } from "../base/clock.ts";
import type { BeginResult, TurnStore, Model, TurnBegin } from "./ports.ts";
import type { Observer } from "./observer.ts";
import type { TurnEvent } from "./turn-event.ts";

/** What a turn is run with. */
export interface TurnPorts {
  readonly model: Model;
  readonly store: TurnStore;
  readonly clock: Clock;
  /** Whether what the model thinks aloud is told. */
  readonly showsReasoning: boolean;
  /** Whether the chat template of {@link model} opens the reasoning, as far as its replies have shown. */
  readonly openedReasoning: OpenedReasoning;
  /** Told once, when the turn is over. */
  readonly observe: Observer;
}

/** A turn whose begin came first, since something in it could have refused the turn. */
export interface BegunTurn {
  readonly begin: TurnBegin;
  readonly answer: BeginResult & { readonly type: "begun" };
}

/** Where the events of a turn go, and what they made of its body so far. */
export interface TurnOutput {
  append(event: TurnEvent): void;
  textAfter(position: number): string;
}
