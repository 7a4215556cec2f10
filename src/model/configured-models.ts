/** The models that are configured, by their names. */
import type { Model, Models } from "../turn/ports.ts";

/** Models with different names; the first is the default. */
export class ConfiguredModels implements Models {
  readonly default: Model;
  readonly all: readonly Model[];
  readonly #byName: ReadonlyMap<string, Model>;

  constructor(first: Model, ...others: readonly Model[]) {
    this.default = first;
    this.all = [first, ...others];
    this.#byName = new Map(this.all.map((model) => [model.name, model]));
  }

  find(name: string): Model | undefined {
    return this.#byName.get(name);
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((model) => model.close()));
  }
}
