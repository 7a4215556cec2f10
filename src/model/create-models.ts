/** Puts the configured models together. */
import type { Clock } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
import type { Model, Models } from "../turn/ports.ts";
import { ConfiguredModels } from "./configured-models.ts";
import { DemoModel } from "./demo-model.ts";
import { Fallbacks } from "./failover/fallbacks.ts";
import { OpenAiModel } from "./openai-model.ts";
import type { ModelOptions, ModelSettings } from "./settings.ts";

/** The models of a server, which {@link Models.close} closes. */
export interface CreatedModels {
  readonly models: Models;
  /** `undefined` if no model has a fallback. */
  readonly fallbacks: Fallbacks | undefined;
}

/** Returns the models that `options` describe. */
export function createModels(options: ModelOptions, clock: Clock, observe: Observer): CreatedModels {
  if (options.type === "demo")
    return { models: new ConfiguredModels([new DemoModel(clock)], false), fallbacks: undefined };
  const toConfigured = (settings: ModelSettings) => ({
    settings,
    model: new OpenAiModel(settings, clock, observe),
  });
  const [first, ...others] = [
    toConfigured(options.models[0]),
    ...options.models.slice(1).map(toConfigured),
  ] as const;
  const fallbacks = new Fallbacks([first, ...others], clock, observe);
  const wrapped = [fallbacks.wrap(first), ...others.map((each) => fallbacks.wrap(each))] as const;
  const models = new ConfiguredModels(wrapped, options.file !== undefined);
  return { models, fallbacks: fallbacks.isUsed ? fallbacks : undefined };
}

/** Returns the model that makes titles, one of `models` if they have it; `undefined` if none makes them. */
export function createTitleModel(
  options: ModelOptions,
  models: Models,
  clock: Clock,
  observe: Observer,
): Model | undefined {
  if (options.type === "demo" || options.titles === undefined) return undefined;
  return models.find(options.titles.name) ?? new OpenAiModel(options.titles, clock, observe);
}
