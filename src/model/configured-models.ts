/** The models that are configured, by their names. */
import type { Model, Models } from "../turn/ports.ts";

/** Models with different names; the first is the default. */
export class ConfiguredModels implements Models {
  readonly default: Model;
  readonly all: readonly Model[];
  readonly #byName: ReadonlyMap<string, Model>;
  readonly #areListed: boolean;

  /** @param areListed whether a file lists them; if not, there is one, whose name may change. */
  constructor(models: readonly [Model, ...Model[]], areListed: boolean) {
    this.default = models[0];
    this.all = models;
    this.#areListed = areListed;
    this.#byName = new Map(this.all.map((model) => [model.name, model]));
  }

  find(name: string): Model | undefined {
    return this.#byName.get(name);
  }

  findStored(name: string): Model | undefined {
    return this.#areListed ? this.find(name) : this.default;
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((model) => model.close()));
  }
}
