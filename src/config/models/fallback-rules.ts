/** The rules for the fallbacks of models. */
import type { ModelSettings } from "../../model/settings.ts";
import type { Fault } from "../files/settings-file.ts";
import { findNearest } from "../misspelt-names.ts";

type Read = readonly (ModelSettings | undefined)[];

/** Returns the faults of all fallbacks. @param names those in the file, of faulty entries too. */
export function findFallbackFaults(models: Read, names: readonly unknown[]): readonly Fault[] {
  const known = names.filter((name) => typeof name === "string");
  const faults = models.flatMap((model, index) => {
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
  return [...faults, ...findCircles(models)];
}

/** Returns a fault for each fallback that leads back to the model that it started from. */
function findCircles(models: Read): readonly Fault[] {
  const indexes = new Map(models.map((model, index) => [model?.name, index]));
  const done = new Set<number>();
  const faults: Fault[] = [];
  const follow = (index: number, path: readonly number[]): void => {
    done.add(index);
    for (const [place, name] of (models[index]?.fallback ?? []).entries()) {
      const next = indexes.get(name);
      if (next === undefined || next === index) continue;
      const start = path.indexOf(next);
      if (start >= 0) {
        const circle = [...path.slice(start), next].map((at) => JSON.stringify(models[at]?.name)).join(", ");
        faults.push({ place: ["models", index, "fallback", place], sentence: `makes a circle: ${circle}` });
      } else if (!done.has(next)) follow(next, [...path, next]);
    }
  };
  for (const index of models.keys()) if (!done.has(index)) follow(index, [index]);
  return faults;
}

function toUnknown(name: string, known: readonly string[]): string {
  const nearest = findNearest(name, known);
  const advice = nearest === undefined ? `the names are ${known.join(", ")}` : `did you mean ${nearest}?`;
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
