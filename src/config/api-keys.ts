/** The API keys of the environment, with their names. */
import { hash } from "node:crypto";
import { z } from "zod";

/** A list of keys, each alone or as `name:key`. Those without a name are named by their digests. */
export const ApiKeys = z
  .string()
  .transform((value) => value.split(",").map((entry) => entry.trim().split(/ *: */)))
  .refine(
    (entries) =>
      entries.every((parts) => parts.length <= 2 && /^[\w.~+/-]{24,500}=*$/.test(parts.at(-1) ?? "")),
    "must be comma-separated keys of 24 to 500 characters (letters, digits, . _ ~ + / -), each alone or as name:key",
  )
  .refine(
    (entries) => entries.every(([name = "", key]) => key === undefined || /^\w[\w.-]{0,63}$/.test(name)),
    "has a key whose name is not 1 to 64 letters, digits, . _ and -",
  )
  .transform((entries) =>
    entries.map(([first = "", key]) => {
      if (key !== undefined) return { name: first, key };
      return { name: `key-${hash("sha256", first, "hex").slice(0, 8)}`, key: first };
    }),
  )
  .refine(hasOneNameForEachKey, "has one key under two names: use a key of its own for each name");

function hasOneNameForEachKey(keys: readonly { readonly name: string; readonly key: string }[]): boolean {
  const names = new Map(keys.map(({ name, key }) => [key, name]));
  return keys.every(({ name, key }) => names.get(key) === name);
}
