/** The names of models for OpenAI's clients: each also with `+plan`, which puts a plan before the answer. */
import { z } from "zod";
import { toUnknownModel, type Chooser, type ModelChoice } from "../model-choice.ts";

/** The suffix of the model's name that requests a plan. */
const planSuffix = "+plan";

/** The longest name of a model, in characters. */
const maxNameLength = 255;

/** The name of a model in a request. */
export const ModelName = z
  .string({
    error: ({ input }) => ((input ?? undefined) === undefined ? "is required" : "must be a string"),
  })
  .max(maxNameLength, `must be at most ${maxNameLength} characters`)
  .describe("A name from `GET /v1/models`. With `+plan` the reply starts with a plan.");

/** Returns the names of a caller's models: of each without a plan, and with a plan before the answer. */
export function toModelNames(models: ModelChoice, chooser: Chooser): readonly string[] {
  return models.listNames(chooser).flatMap((name) => [name, name + planSuffix]);
}

/** A model that is asked for, and whether a plan is. */
export interface NamedModel {
  /** As in `TurnRequest`. */
  readonly model: string | undefined;
  readonly isPlanned: boolean;
}

/** Returns the model that a client names. @throws AppError `model_not_found`. */
export function findNamed(name: string, models: ModelChoice, chooser: Chooser): NamedModel {
  if (models.has(name, chooser)) return { model: models.toRequested(name), isPlanned: false };
  const model = name.endsWith(planSuffix) ? name.slice(0, -planSuffix.length) : name;
  if (!models.has(model, chooser)) throw toUnknownModel(name, toModelNames(models, chooser));
  return { model: models.toRequested(model), isPlanned: true };
}
