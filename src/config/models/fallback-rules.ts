/** The rules for the fallbacks of models. */
import type { Fault } from "../files/settings-file.ts";
import { findNearest, listNames } from "../misspelt-names.ts";
import { toTexts, type RawEntry } from "./raw-entry.ts";

/** Returns the faults of all fallbacks. */
export function findFallbackFaults(entries: readonly RawEntry[]): readonly Fault[] {
  const names = entries.map(({ name }) => name);
  const known = Array.from(new Set(names.filter((name) => typeof name === "string")));
  return entries.flatMap((entry, index) => {
    const fallback = toTexts(entry["fallback"]);
    return fallback.flatMap((other, place) => {
      if (other === undefined) return [];
      const sentence =
        other === entry["name"]
          ? "is the model itself"
          : fallback.indexOf(other) < place
            ? "stands twice in its list"
            : known.includes(other)
              ? findAccessFault(entry, entries[names.indexOf(other)])
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
function findAccessFault(entry: RawEntry, other: RawEntry | undefined): string | undefined {
  const [own, others] = [toAccess(entry), other && toAccess(other)];
  if (own === undefined || others === undefined || isSubset(own, others)) return undefined;
  return `may be used by fewer users or keys than ${JSON.stringify(entry["name"])} itself`;
}

/** The callers who may use a model; `"all"` without lists. */
type Access = "all" | { readonly users: readonly string[]; readonly keys: readonly string[] };

/** Returns `undefined` if the lists are faulty. */
function toAccess({ users, keys }: RawEntry): Access | undefined {
  if (users === undefined && keys === undefined) return "all";
  const [ids, names] = [toWhole(users), toWhole(keys)];
  if (ids === undefined || names === undefined) return undefined;
  return { users: ids.map((id) => id.toLowerCase()), keys: names };
}

function toWhole(list: unknown): readonly string[] | undefined {
  const texts = toTexts(list).filter((text) => text !== undefined);
  return list === undefined || (Array.isArray(list) && texts.length === list.length) ? texts : undefined;
}

/** Whether all of `own` are among `others`. */
function isSubset(own: Access, others: Access): boolean {
  if (others === "all") return true;
  if (own === "all") return false;
  return (
    own.users.every((id) => others.users.includes(id)) && own.keys.every((key) => others.keys.includes(key))
  );
}
