/** The models of an environment: those of its file, the single one of its variables, or the demo. */
import { findModelPrice } from "../../model/model-prices.ts";
import { defaultFailoverAfterMs, type ModelOptions, type ModelSettings } from "../../model/settings.ts";
import { listNames } from "../misspelt-names.ts";
import type { Environment } from "../variables.ts";
import { readModelsFile, type ListedModel, type ModelsFile } from "./models-file.ts";

/** Returns the file of models; `undefined` without one. */
export function readModels(
  environment: Environment | undefined,
  variables: Readonly<Record<string, string>>,
): ModelsFile | undefined {
  if (environment?.MODELS_FILE === undefined) return undefined;
  return readModelsFile(environment.MODELS_FILE, {
    variables,
    defaults: toModelDefaults(environment),
    callers: { auth: environment.AUTH, keyNames: environment.API_KEYS?.map(({ name }) => name) },
  });
}

/** Returns a sentence if there is a budget, and a model without a price: the budget would not count it. */
export function findUnpriced(environment: Environment, file: ModelsFile | undefined): readonly string[] {
  const { LIMIT_COST_PER_DAY: ofUsers, LIMIT_KEY_COST_PER_DAY: ofKeys, MODEL_PRICES } = environment;
  if (ofUsers === 0n && ofKeys === undefined) return [];
  const prices = MODEL_PRICES ?? new Map();
  const listed = file?.listed ?? listModels(environment);
  const names = listed
    .filter(({ hasPrice, ...model }) => !hasPrice && findModelPrice(model, prices) === undefined)
    .map(({ name }) => name);
  if (names.length === 0) return [];
  const budget = ofUsers === 0n ? "LIMIT_KEY_COST_PER_DAY" : "LIMIT_COST_PER_DAY";
  const advice = file === undefined ? "add it to MODEL_PRICES" : "add `price` to its entry in MODELS_FILE";
  return [
    `${budget} needs the price of each model, and has none of ${listNames([...new Set(names)])}: ${advice}`,
  ];
}

/** Returns the single model of the environment, and the one that makes titles. */
function listModels(environment: Environment): readonly ListedModel[] {
  const options = toModelOptions(environment, undefined);
  if (options.type === "demo") return [];
  return [...options.models, ...(options.titles === undefined ? [] : [options.titles])]
    .map(({ name, openai: { model } }) => ({ name, model, hasPrice: false }))
    .filter(({ name }) => name !== "");
}

/** The settings of all models, unless a file has others. */
function toModelDefaults(environment: Environment) {
  return {
    temperature: environment.OPENAI_TEMPERATURE,
    firstByteTimeoutMs: environment.MODEL_FIRST_BYTE_TIMEOUT_MS,
    idleTimeoutMs: environment.MODEL_IDLE_TIMEOUT_MS,
    opensReasoning: environment.MODEL_OPENS_REASONING,
    maxContextChars: environment.MODEL_CONTEXT_CHARS,
  };
}

/** Returns the fault of the model for titles, which a file of models must list; empty if there is none. */
export function findTitleFaults(
  environment: Environment | undefined,
  file: ModelsFile | undefined,
): readonly string[] {
  const name = environment?.TITLE_MODEL;
  if (name === undefined || file === undefined || file.listed.length === 0) return [];
  const names = Array.from(new Set(file.listed.map((model) => model.name)));
  if (names.includes(name)) return [];
  return [`TITLE_MODEL must be the name of a model in MODELS_FILE; they are ${listNames(names)}`];
}

/** Returns the models. @param file without faults. */
export function toModelOptions(environment: Environment, file: ModelsFile | undefined): ModelOptions {
  const [first, ...others] = file?.models ?? [];
  const titleModel = environment.TITLE_MODEL;
  if (first !== undefined) {
    const models = [first, ...others] as const;
    const titles = models.find(({ name }) => name === titleModel);
    return { type: "openai", models, file: environment.MODELS_FILE, titles };
  }
  const endpoint = environment.AZURE_OPENAI_ENDPOINT;
  const { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseUrl, MODELS_FILE } = environment;
  const isConnected = [apiKey, baseUrl, endpoint, MODELS_FILE].some((value) => value !== undefined);
  if (environment.DEMO_MODE || !isConnected) return { type: "demo", isForced: isConnected };
  const model = environment.OPENAI_MODEL ?? "";
  const { opensReasoning, maxContextChars, ...defaults } = toModelDefaults(environment);
  const openai = {
    model,
    apiKey,
    baseUrl,
    organization: environment.OPENAI_ORG_ID,
    project: environment.OPENAI_PROJECT_ID,
    azure:
      endpoint === undefined
        ? undefined
        : {
            endpoint,
            apiKey: environment.AZURE_OPENAI_API_KEY ?? "",
            apiVersion: environment.OPENAI_API_VERSION ?? "",
          },
    ...defaults,
  };
  const settings = {
    name: model,
    keepsName: false,
    openai,
    opensReasoning,
    maxContextChars,
    fallback: [],
    failoverAfterMs: defaultFailoverAfterMs,
  };
  const titles = titleModel === undefined ? undefined : toTitleModel(settings, titleModel);
  return { type: "openai", models: [settings], file: undefined, titles };
}

/** Returns a model of the same server under its own name there. */
function toTitleModel(settings: ModelSettings, name: string): ModelSettings {
  return { ...settings, name, openai: { ...settings.openai, model: name } };
}
