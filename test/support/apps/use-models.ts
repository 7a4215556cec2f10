/** Several scripted models of one app, listed in a file. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ScriptedModel } from "../model/scripted-model.ts";
import type { RunningApp } from "./start-app.ts";
import { useFolder, useModel, useStartApp, type StartApp } from "./use-app.ts";

/** Fields of a model's entry that a test sets. */
type Entry = Readonly<Record<string, unknown>>;

/** The names of the models, in the order of the file; each asks those after it if it fails. */
export const modelNames = ["primary", "backup", "third"] as const;
/** One of {@link modelNames}. */
export type ModelName = (typeof modelNames)[number];

/** The models, and how to start an app with them. */
export interface ScriptedModels {
  readonly models: Readonly<Record<ModelName, ScriptedModel>>;
  /** Starts an app for the running test, with `entries` on top of the models' own. */
  readonly start: (
    entries?: Partial<Readonly<Record<ModelName, Entry>>>,
    ...rest: Parameters<StartApp>
  ) => Promise<RunningApp>;
}

/** Three models, started again for each test, and apps that ask them. */
export function useModels(database?: {
  readonly variables: Readonly<Record<string, string>>;
}): ScriptedModels {
  const models = { primary: useModel("test"), backup: useModel("test"), third: useModel("test") };
  const startApp = useStartApp(models.primary, {}, { database });
  const folder = useFolder("test");
  let files = 0;
  return {
    models,
    start: async (entries = {}, variables = {}, clock) => {
      const list = modelNames.map((name, index) => ({
        name,
        model: `${name}-1`,
        baseUrl: models[name].url,
        fallback: modelNames.slice(index + 1),
        ...entries[name],
      }));
      files += 1;
      const file = join(folder(), `models-${files}.json`);
      await writeFile(file, JSON.stringify({ models: list }));
      return await startApp({ MODELS_FILE: file, ...variables }, clock);
    },
  };
}
