/** The models of an environment: those of its file, the single one of its variables, or the demo. */
import type { AppOptions } from "../../app.ts";
import { defaultFailoverAfterMs } from "../../model/settings.ts";
import type { Environment } from "../variables.ts";
import { readModelsFile, type ModelsFile } from "./models-file.ts";

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

/** The settings of all models, unless a file has others. */
function toModelDefaults(environment: Environment) {
  return {
    temperature: environment.OPENAI_TEMPERATURE,
    firstByteTimeoutMs: environment.MODEL_FIRST_BYTE_TIMEOUT_MS,
    idleTimeoutMs: environment.MODEL_IDLE_TIMEOUT_MS,
    opensReasoning: environment.MODEL_OPENS_REASONING,
  };
}

/** Returns the models. @param file without faults. */
export function toModelOptions(environment: Environment, file: ModelsFile | undefined): AppOptions["model"] {
  const [first, ...others] = file?.models ?? [];
  if (first !== undefined)
    return { type: "openai", models: [first, ...others], file: environment.MODELS_FILE };
  const endpoint = environment.AZURE_OPENAI_ENDPOINT;
  const { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseUrl, MODELS_FILE } = environment;
  const isConnected = [apiKey, baseUrl, endpoint, MODELS_FILE].some((value) => value !== undefined);
  if (environment.DEMO_MODE || !isConnected) return { type: "demo", isForced: isConnected };
  const model = environment.OPENAI_MODEL ?? "";
  const { opensReasoning, ...defaults } = toModelDefaults(environment);
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
    fallback: [],
    failoverAfterMs: defaultFailoverAfterMs,
  };
  return { type: "openai", models: [settings], file: undefined };
}
