/** Entries of the file of models as they were written, whose form may be faulty. */
import type { z } from "zod";
import { isRecord } from "../../base/json.ts";
import { fromPath, type Place } from "../files/settings-file.ts";

/** The fields of an entry. */
export type RawEntry = Readonly<Record<string, unknown>>;

/** Stand for members without which an object is checked no further. */
const placeholders: Readonly<Record<string, RawEntry>> = {
  azure: { endpoint: "https://example.openai.azure.com", apiVersion: "-" },
  price: { input: 0, output: 0 },
};

/** Returns the texts in a list, each at its index; none if the value is no list. */
export function toTexts(value: unknown): readonly (string | undefined)[] {
  if (!Array.isArray(value)) return [];
  return value.map((item: unknown) => (typeof item === "string" ? item : undefined));
}

/** Returns an entry without its faults of form, so that the rest of it can be checked. */
export function withoutFaults(entry: unknown, issues: readonly z.core.$ZodIssue[]): RawEntry {
  if (!isRecord(entry)) return {};
  let rest: RawEntry = { ...entry };
  for (const issue of issues) {
    const path = fromPath(issue.path);
    const places = issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...path, key]) : [path];
    for (const place of places) rest = without(rest, place);
  }
  for (const [key, placeholder] of Object.entries(placeholders))
    if (isRecord(rest[key])) rest = { ...rest, [key]: { ...placeholder, ...rest[key] } };
  return { name: "-", ...rest };
}

/** Removes the member at `place`, or the whole list that it is in. */
function without(record: RawEntry, [key, ...place]: Place): RawEntry {
  if (key === undefined) return record;
  const { [key]: member, ...others } = record;
  return place.length === 0 || !isRecord(member) ? others : { ...others, [key]: without(member, place) };
}
