/** Puts the configured models together. */
import type { Model, Models } from "../turn/ports.ts";
import type { TracedModel } from "../turn/tracing/tracing.ts";
import { ConfiguredModels } from "./configured-models.ts";
import { DemoModel } from "./demo-model.ts";
import { Fallbacks } from "./failover/fallbacks.ts";
import { ObservedModel, type CallServices, type MeasurableModel } from "./observed/observed-model.ts";
import { toTracedModel } from "./observed/traced-model.ts";
import type { ModelOptions, ModelSettings } from "./settings.ts";

/** The models of a server, which {@link Models.close} closes. */
export interface CreatedModels {
  readonly models: Models;
  /** `undefined` if no model has a fallback. */
  readonly fallbacks: Fallbacks | undefined;
}

/** The services that models use. */
export interface ModelServices extends CallServices {
  /** Whether calls are measured; default `false`. */
  readonly measuresCalls?: boolean | undefined;
}

/** Resolves with the models that `options` describe. */
export async function createModels(options: ModelOptions, services: ModelServices): Promise<CreatedModels> {
  const { clock, observe } = services;
  if (options.type === "demo") {
    const demo = new DemoModel(clock);
    const { name } = demo;
    const traced = { name, provider: "foreword", serverModel: name, server: undefined, defaults: {} };
    const models = new ConfiguredModels([toMeasured(demo, traced, services)], false);
    return { models, fallbacks: undefined };
  }
  const createModel = await loadModelCode(services);
  const toConfigured = (settings: ModelSettings) => ({ settings, model: createModel(settings) });
  const [first, ...others] = [
    toConfigured(options.models[0]),
    ...options.models.slice(1).map(toConfigured),
  ] as const;
  const fallbacks = new Fallbacks([first, ...others], clock, observe);
  const wrapped = [fallbacks.wrap(first), ...others.map((each) => fallbacks.wrap(each))] as const;
  const models = new ConfiguredModels(wrapped, options.file !== undefined);
  return { models, fallbacks: fallbacks.isUsed ? fallbacks : undefined };
}

/** Resolves with the model that makes titles, one of `models` if they have it; `undefined` if none does. */
export async function createTitleModel(
  options: ModelOptions,
  models: Models,
  services: ModelServices,
): Promise<Model | undefined> {
  if (options.type === "demo" || options.titles === undefined) return undefined;
  return models.find(options.titles.name) ?? (await loadModelCode(services))(options.titles);
}

/** Loads the client of model servers, and resolves with the maker of their models. */
async function loadModelCode(services: ModelServices): Promise<(settings: ModelSettings) => MeasurableModel> {
  const { OpenAiModel } = await import("./openai-model.ts");
  return (settings) => {
    const model = new OpenAiModel(settings, services.clock, services.observe);
    return toMeasured(model, toTracedModel(settings), services);
  };
}

/** Returns the model itself if its calls are neither measured nor traced: that costs nothing. */
function toMeasured(model: MeasurableModel, traced: TracedModel, services: ModelServices): MeasurableModel {
  const { measuresCalls = false, tracing } = services;
  return measuresCalls || tracing !== undefined ? new ObservedModel(model, traced, services) : model;
}
