/** Apps with several models, each on a scripted server of its own. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ScriptedModel } from "../model/scripted-model.ts";
import { makeFolder } from "./start-app.ts";
import { useModel, useResource } from "./use-app.ts";

/** The variables that the entries of {@link useTwoModels} name. */
const keys = { FAST_KEY: "key-of-fast", SLOW_KEY: "key-of-slow" };

/** Two models, and the variables of an app that has them. */
export interface TwoModels {
  readonly fast: ScriptedModel;
  readonly slow: ScriptedModel;
  /** Valid once the suite's fixtures have started. */
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * The models `fast`, the default, and `slow`, named `upstream-fast` and `upstream-slow` by their servers,
 * with more settings for each.
 */
export function useTwoModels(more: { readonly fast?: object; readonly slow?: object } = {}): TwoModels {
  const [fast, slow] = [useModel(), useModel()];
  let file = "";
  useResource(async (closing) => {
    const folder = await makeFolder();
    closing.defer(() => folder.remove());
    file = join(folder.path, "models.json");
    const toEntry = (name: "fast" | "slow", { url: baseUrl }: ScriptedModel): object => ({
      name,
      model: `upstream-${name}`,
      baseUrl,
      apiKeyVariable: `${name.toUpperCase()}_KEY`,
      ...more[name],
    });
    await writeFile(file, JSON.stringify({ models: [toEntry("fast", fast), toEntry("slow", slow)] }));
  });
  return {
    fast,
    slow,
    get variables() {
      return { ...keys, MODELS_FILE: file };
    },
  };
}
