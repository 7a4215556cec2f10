/** The rules for the fallbacks of models. */
import type { ModelSettings } from "../../model/settings.ts";
import type { Fault } from "../files/settings-file.ts";
import { findNearest, listNames } from "../misspelt-names.ts";

type Read = readonly (ModelSettings | undefined)[];

/** Returns the faults of all fallbacks. @param names those in the file, of faulty entries too. */
export function findFallbackFaults(models: Read, names: readonly unknown[]): readonly Fault[] {
  const known = names.filter((name) => typeof name === "string");
  return models.flatMap((model, index) => {
    if (model === undefined) return [];
    const { name, fallback } = model;
    return fallback.flatMap((other, place) => {
      const sentence =
        other === name
          ? "is the model itself"
          : fallback.indexOf(other) < place
            ? "stands twice in its list"
            : known.includes(other)
              ? findAccessFault(model, models[names.indexOf(other)])
              : toUnknown(other, known);
      return sentence === undefined ? [] : [{ place: ["models", index, "fallback", place], sentence }];
    });
  });
}

function toUnknown(name: string, known: readonly string[]): string {
  const nearest = findNearest(name, known);
  const advice = nearest === undefined ? `the names are ${listNames(known)}` : `did you mean ${nearest}?`;
  return `is not the name of a model; ${advice}`;
}

/** A reply must not come from a model that its user may not choose. */
function findAccessFault(model: ModelSettings, other: ModelSettings | undefined): string | undefined {
  if (other === undefined || isSubset(model, other)) return undefined;
  return `may be used by fewer users or keys than ${JSON.stringify(model.name)} itself`;
}

/** Whether all who may use `model` may use `other`. */
function isSubset(model: ModelSettings, other: ModelSettings): boolean {
  if (other.users === undefined && other.keys === undefined) return true;
  if (model.users === undefined && model.keys === undefined) return false;
  const { users = [], keys = [] } = other;
  return (
    (model.users ?? []).every((id) => users.includes(id)) &&
    (model.keys ?? []).every((key) => keys.includes(key))
  );
}
