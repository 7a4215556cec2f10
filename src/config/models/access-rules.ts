/** The rules for the users and keys of models. */
import type { Fault } from "../files/settings-file.ts";
import { findNearest, listNames } from "../misspelt-names.ts";
import { toTexts, type RawEntry } from "./raw-entry.ts";

/** The callers that the server knows. */
export interface KnownCallers {
  readonly auth: "none" | "supabase" | "keys";
  /** The names of the API keys; `undefined` if they cannot be read. */
  readonly keyNames: readonly string[] | undefined;
}

/** Returns the faults of the users and keys, and warnings about models that have no users. */
export function checkAccess(
  entries: readonly RawEntry[],
  { auth, keyNames }: KnownCallers,
): { readonly faults: readonly Fault[]; readonly warnings: readonly Fault[] } {
  const faults: Fault[] = [];
  const warnings: Fault[] = [];
  for (const [index, { users, keys }] of entries.entries()) {
    if (auth === "keys" && keyNames !== undefined)
      for (const [place, name] of toTexts(keys).entries())
        if (name !== undefined && name !== "" && !keyNames.includes(name))
          faults.push({ place: ["models", index, "keys", place], sentence: toUnknown(name, keyNames) });
    if (users === undefined && keys === undefined) continue;
    if (auth === "none")
      warnings.push({
        place: ["models", index],
        sentence: "is refused to all: AUTH=none proves no user or key, and the model is for some only",
      });
    else if (auth === "supabase" && users === undefined)
      warnings.push({
        place: ["models", index],
        sentence: "is refused to all: AUTH=supabase identifies users, and the model is for keys only",
      });
  }
  return { faults, warnings };
}

function toUnknown(name: string, known: readonly string[]): string {
  const nearest = findNearest(name, known);
  const advice = nearest === undefined ? `they are ${listNames(known)}` : `did you mean ${nearest}?`;
  return `is not the name of one of API_KEYS; ${advice}`;
}
