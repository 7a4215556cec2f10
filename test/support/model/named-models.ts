/** Models that have names and are never called. */
import assert from "node:assert/strict";
import { ConfiguredModels } from "../../../src/model/configured-models.ts";
import { OpenedReasoning } from "../../../src/turn/reply/opened-reasoning.ts";

/** Returns models with these names; the first is the default. */
export function nameModels(first: string, ...others: readonly string[]): ConfiguredModels {
  const toModel = (name: string) => ({
    name,
    openedReasoning: new OpenedReasoning("auto"),
    complete: () => assert.fail("no model is to be called"),
    close: () => Promise.resolve(),
  });
  return new ConfiguredModels(toModel(first), ...others.map(toModel));
}
