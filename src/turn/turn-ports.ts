/** What a turn depends on: its ports, a begin that came before it, and where its events go. */
import type { Observer } from "./observer.ts";
import type { BeginResult, TurnBegin, TurnStore } from "./ports.ts";
import type { ReplyOptions } from "./reply-events.ts";
import type { Grounding } from "./sources/grounding.ts";
import type { ModelPorts } from "./steps/model-calls.ts";
import type { SentEvents } from "./steps/next-prompt.ts";
import type { ToolPorts } from "./steps/step-loop.ts";
import type { TurnTrace } from "./tracing/tracing.ts";
import type { EventOutput } from "./turn-event.ts";

/** The ports of a turn. */
export interface TurnPorts extends ReplyOptions, ToolPorts, ModelPorts {
  /** Looks for sources; absent if this server can search nothing. */
  readonly grounding?: Grounding | undefined;
  readonly store: TurnStore;
  /** Its span; absent if there are no traces. */
  readonly trace?: TurnTrace | undefined;
  /** Told once, when the turn is over, or waits. */
  readonly observe: Observer;
}

/** A turn that began before it runs, since the store could have refused it. */
export interface BegunTurn {
  readonly begin: TurnBegin;
  readonly result: BeginResult & { readonly type: "begun" };
}

/** Where the events of a turn go, and the body that they have made so far. */
export interface TurnOutput extends EventOutput, SentEvents {}
