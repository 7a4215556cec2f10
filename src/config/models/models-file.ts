/** The file of models: reads and checks it, and returns the settings in it. */
import { resolve } from "node:path";
import { isRecord } from "../../base/json.ts";
import type { ModelSettings } from "../../model/settings.ts";
import { parseFile, toPlace, type Fault, type Tell } from "../files/settings-file.ts";
import { checkAccess, type KnownCallers } from "./access-rules.ts";
import { findFallbackFaults } from "./fallback-rules.ts";
import { EntryReader, type EntryOptions } from "./entry-reader.ts";
import { knownKeys } from "./model-entry.ts";
import type { RawEntry } from "./raw-entry.ts";
import { toUnknownField } from "./unknown-fields.ts";

/** The environment of a file. */
export interface ModelsFileOptions extends EntryOptions {
  readonly callers: KnownCallers;
}

/** An entry with a name, as far as that is known of one with faults. */
export interface ListedModel {
  readonly name: string;
  /** The model's name on its server. */
  readonly model: string;
  readonly hasPrice: boolean;
}

/** The contents of a file. */
export interface ModelsFile {
  /** All entries that have a name, those with faults too. */
  readonly listed: readonly ListedModel[];
  /** Empty if there are problems. */
  readonly models: readonly ModelSettings[];
  /** A sentence for each fault, with its place. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** Texts that must never be logged. */
  readonly secrets: readonly string[];
  /** The names of the variables that the file refers to. */
  readonly usedNames: readonly string[];
}

const maxModels = 1_000;

/** Returns the settings in `file`, a path that may be relative. Never throws. */
export function readModelsFile(file: string, options: ModelsFileOptions): ModelsFile {
  const problems: string[] = [];
  const refuse: Tell = (place, sentence) =>
    problems.push(`${file}: ${place.length === 0 ? "the file" : toPlace(place)} ${sentence}`);
  const parsed = parseFile(resolve(file), (problem) => problems.push(`${file}: ${problem}`));
  for (const { path, text } of parsed?.badKeys ?? []) refuse(path, text);
  const entries = parsed === undefined ? undefined : findEntries(parsed.value, refuse);
  const reader = new EntryReader(options, refuse);
  const read = (entries ?? []).map((entry, index) => reader.read(entry, ["models", index]));
  const raw = (entries ?? []).map((entry) => (isRecord(entry) ? entry : {}));
  const access = checkAccess(raw, options.callers);
  for (const { place, sentence } of [...findEqualNames(raw), ...findFallbackFaults(raw), ...access.faults])
    refuse(place, sentence);
  const { expansion, secrets, usedNames } = reader;
  return {
    listed: raw.flatMap(toListed),
    models: problems.length > 0 ? [] : read.flatMap((settings) => settings ?? []),
    problems,
    warnings: access.warnings.map(({ place, sentence }) => `${file}: ${toPlace(place)} ${sentence}`),
    secrets: [...secrets, ...expansion.values],
    usedNames: [...usedNames, ...expansion.names],
  };
}

function findEntries(value: unknown, refuse: Tell): readonly unknown[] {
  if (!isRecord(value)) {
    refuse([], 'must be an object like {"models":[{"name":"gpt-5-mini","apiKeyVariable":"OPENAI_API_KEY"}]}');
    return [];
  }
  const { $schema, models, ...others } = value;
  for (const key of Object.keys(others)) refuse([key], toUnknownField(key, knownKeys.file));
  if ($schema !== undefined && typeof $schema !== "string") refuse(["$schema"], "must be a text");
  if (!Array.isArray(models))
    refuse(["models"], models === undefined ? "is required" : "must be a list of models");
  else if (models.length === 0) refuse(["models"], "must not be empty");
  else if (models.length > maxModels) refuse(["models"], `must be at most ${maxModels}`);
  else return models;
  return [];
}

function toListed({ name, model, price }: RawEntry): readonly ListedModel[] {
  if (typeof name !== "string") return [];
  return [{ name, model: typeof model === "string" ? model : name, hasPrice: price !== undefined }];
}

function findEqualNames(entries: readonly RawEntry[]): readonly Fault[] {
  const names = entries.map(({ name }) => name);
  return names.flatMap((name, index) => {
    const first = names.indexOf(name);
    if (name === undefined || first === index) return [];
    return [
      { place: ["models", index, "name"], sentence: `is the name of models[${first}], too: choose another` },
    ];
  });
}
