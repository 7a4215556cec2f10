/** The fallbacks of all configured models, and the state of the models in this process. */
import type { Clock } from "../../base/clock.ts";
import type { Observer } from "../../turn/observer.ts";
import type { Model } from "../../turn/ports.ts";
import type { ModelSettings } from "../settings.ts";
import { FailoverModel, type Candidate } from "./failover-model.ts";
import { ModelHealth } from "./model-health.ts";

/** A model, and its settings. */
export interface ConfiguredModel {
  readonly model: Model & {
    /** Its context window in tokens, as configured or learnt. */
    readonly windowTokens?: number | undefined;
  };
  readonly settings: ModelSettings;
}

/** The models that stand in for each other. */
export class Fallbacks {
  readonly #candidates: ReadonlyMap<string, Candidate>;
  readonly #observe: Observer;

  /** @param configured all models; those that have no fallback, and are none, cost nothing. */
  constructor(configured: readonly ConfiguredModel[], clock: Clock, observe: Observer) {
    const used = new Set(
      configured.flatMap(({ settings: { name, fallback } }) =>
        fallback.length > 0 ? [name, ...fallback] : [],
      ),
    );
    const candidates = configured.filter(({ model }) => used.has(model.name));
    this.#candidates = new Map(
      candidates.map(({ model, settings }) => [
        model.name,
        {
          model,
          health: new ModelHealth(model.name, clock, observe),
          failoverAfterMs: settings.failoverAfterMs,
          windowTokens: () => model.windowTokens,
        },
      ]),
    );
    this.#observe = observe;
  }

  /** Returns a model with its fallbacks; the model itself if it has none. */
  wrap({ model, settings: { name, fallback } }: ConfiguredModel): Model {
    const [first, ...others] = [name, ...fallback].map((each) => this.#candidates.get(each));
    const known = others.filter((candidate) => candidate !== undefined);
    if (first === undefined || known.length === 0) return model;
    return new FailoverModel(first, known, this.#observe);
  }

  /** Whether any model has a fallback. */
  get isUsed(): boolean {
    return this.#candidates.size > 0;
  }

  /** How many models stand in for each other, and how many of them are left alone now. */
  count(): { readonly count: number; readonly avoided: number } {
    const candidates = Array.from(this.#candidates.values());
    return {
      count: candidates.length,
      avoided: candidates.filter(({ health }) => health.isAvoided).length,
    };
  }
}
