/** Models that have names and are never called. */
import assert from "node:assert/strict";
import { ModelChoice } from "../../../src/http/model-choice.ts";
import { ConfiguredModels } from "../../../src/model/configured-models.ts";
import { OpenedReasoning } from "../../../src/turn/reply/opened-reasoning.ts";

/** Returns the choice from models with these names; the first is the default. */
export function chooseFrom(first: string, ...others: readonly string[]): ModelChoice {
  const toModel = (name: string) => ({
    name,
    openedReasoning: new OpenedReasoning("auto"),
    maxReadChars: 400_000,
    toMaxTokens: () => undefined,
    complete: () => assert.fail("no model is to be called"),
    close: () => Promise.resolve(),
  });
  return new ModelChoice({ models: new ConfiguredModels([toModel(first), ...others.map(toModel)], true) });
}
