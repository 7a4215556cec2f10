/**
 * Reads one entry of the file of models after another, and checks the rules that its schema cannot express.
 */
import type { z } from "zod";
import type { JsonObject } from "../../base/json.ts";
import { defaultFailoverAfterMs, type ModelSettings, type OpenAiOptions } from "../../model/settings.ts";
import { Expansion } from "../files/expansion.ts";
import { checkHeaders, fromPath, toPlace, type Place, type Tell } from "../files/settings-file.ts";
import { variableNames } from "../variables.ts";
import { knownKeys, ModelEntry } from "./model-entry.ts";
import { withoutFaults } from "./raw-entry.ts";
import { toUnknownField } from "./unknown-fields.ts";

/** Settings of the environment that entries may override. */
type Defaults = Pick<OpenAiOptions, "temperature" | "firstByteTimeoutMs" | "idleTimeoutMs"> &
  Pick<ModelSettings, "opensReasoning" | "maxContextChars">;

type ServerAddress = Omit<OpenAiOptions, "temperature" | "firstByteTimeoutMs" | "idleTimeoutMs">;

/** The environment of entries. */
export interface EntryOptions {
  /** The variables that are set, as they are used. */
  readonly variables: Readonly<Record<string, string>>;
  readonly defaults: Defaults;
}

/** Secrets of this server, which no model server may get. */
const ownSecrets = new Set(variableNames.filter((name) => !/^(?:AZURE_)?OPENAI_/.test(name)));
/** Parameters that each request sets itself. */
const fixedParameters = new Set([
  "model",
  "messages",
  "stream",
  "stream_options",
  "n",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "functions",
  "function_call",
]);
const fixedHeaders =
  /^(?:accept|accept-encoding|connection|content-length|content-type|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade)$/i;
/** The words of `reasoning`. */
const opens = { auto: "auto", opened: "yes", none: "no" } as const;
/** Sentences about the address of the server, or its key. */
const addressWords =
  /^(?:azure|apiKeyVariable|baseUrl|headers)\b|(?:write|mean) (?:azure|apiKeyVariable|baseUrl)\b/;
const openAiUrl = "https://api.openai.com/v1";

/** Reads the entries of one file, and tells all their faults. */
export class EntryReader {
  readonly #options: EntryOptions;
  readonly #refuse: Tell;
  readonly expansion: Expansion;
  readonly secrets: string[] = [];
  readonly usedNames: string[] = [];

  constructor(options: EntryOptions, refuse: Tell) {
    this.#options = options;
    this.#refuse = refuse;
    this.expansion = new Expansion(options.variables, ownSecrets);
  }

  /** Returns `undefined` if the entry has faults of form; the rest of it is checked all the same. */
  read(value: unknown, place: Place): ModelSettings | undefined {
    const { data: entry, error } = ModelEntry.safeParse(value);
    if (entry !== undefined) return this.#toSettings(entry, place);
    const sentences = error.issues.flatMap((issue) => this.#refuseIssue(issue, place));
    // An address that is faulty itself, or was meant by another key, is not missing.
    const hasAddress = sentences.some((sentence) => addressWords.test(sentence));
    const rest = ModelEntry.safeParse(withoutFaults(value, error.issues)).data;
    if (rest !== undefined) this.#toSettings(rest, place, hasAddress);
    return undefined;
  }

  /** @param hasAddress whether it is known that a missing key or URL is not meant to be missing. */
  #toSettings(entry: ModelEntry, place: Place, hasAddress = false): ModelSettings {
    const { defaults } = this.#options;
    const { temperature = defaults.temperature, ...sent } = entry.parameters?.defaults ?? {};
    const { windowTokens, maxOutputTokens, price, fallback = [], users, keys } = entry;
    if (windowTokens !== undefined && maxOutputTokens !== undefined && maxOutputTokens >= windowTokens)
      this.#refuse([...place, "maxOutputTokens"], `must be less than windowTokens, ${windowTokens}`);
    return {
      name: entry.name,
      keepsName: true,
      openai: {
        ...this.#toServer(entry, place, hasAddress),
        temperature: this.#toTemperature(temperature, place),
        firstByteTimeoutMs: entry.firstByteTimeoutMs ?? defaults.firstByteTimeoutMs,
        idleTimeoutMs: entry.idleTimeoutMs ?? defaults.idleTimeoutMs,
      },
      windowTokens,
      maxOutputTokens,
      price,
      parameters: entry.parameters && {
        allowed: entry.parameters.allowed,
        // A temperature that is never sent, not even for a client.
        defaults: this.#toDefaults(temperature === null ? { ...sent, temperature } : sent, place),
        ...(entry.parameters.rename && { rename: this.#toRename(entry.parameters.rename, place) }),
      },
      opensReasoning: entry.reasoning === undefined ? defaults.opensReasoning : opens[entry.reasoning],
      maxContextChars: defaults.maxContextChars,
      fallback,
      failoverAfterMs: entry.failoverAfterMs ?? defaultFailoverAfterMs,
      users: users?.map((id) => id.toLowerCase()),
      keys,
    };
  }

  /** Returns the sentences, with their places in the entry. */
  #refuseIssue(issue: z.core.$ZodIssue, place: Place): readonly string[] {
    const path = fromPath(issue.path);
    const part = path.at(-1);
    const known = part === "azure" || part === "price" || part === "parameters" ? part : "entry";
    const faults =
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => [[...path, key], toUnknownField(key, knownKeys[known])] as const)
        : [[path, issue.message] as const];
    for (const [at, sentence] of faults) this.#refuse([...place, ...at], sentence);
    return faults.map(([at, sentence]) => `${toPlace(at)} ${sentence}`);
  }

  #toServer(entry: ModelEntry, place: Place, hasAddress: boolean): ServerAddress {
    const { name, model = name, azure, baseUrl } = entry;
    if (azure !== undefined && baseUrl !== undefined)
      this.#refuse([...place, "baseUrl"], "must be left out with azure, whose endpoint is the URL");
    const apiKey = this.#toApiKey(entry, place, hasAddress);
    const endpoint = azure && this.#toUrl(azure.endpoint, [...place, "azure", "endpoint"]);
    return {
      model,
      apiKey: azure === undefined ? apiKey : undefined,
      baseUrl: baseUrl === undefined ? undefined : this.#toUrl(baseUrl, [...place, "baseUrl"]),
      organization: undefined,
      project: undefined,
      azure:
        azure && endpoint !== undefined
          ? { endpoint, apiKey: apiKey ?? "", apiVersion: azure.apiVersion }
          : undefined,
      headers: this.#toHeaders(entry.headers ?? {}, [...place, "headers"]),
    };
  }

  #toApiKey(
    { apiKeyVariable: name, azure, baseUrl, headers = {} }: ModelEntry,
    place: Place,
    hasAddress: boolean,
  ): string | undefined {
    const at = [...place, "apiKeyVariable"];
    if (name === undefined) {
      const isHeader = Object.keys(headers).some((header) => /^(?:authorization|api-key)$/i.test(header));
      if ((azure !== undefined || baseUrl === undefined) && !isHeader && !hasAddress)
        this.#refuse(at, `is required with ${azure === undefined ? openAiUrl : "azure"}`);
      return undefined;
    }
    this.usedNames.push(name);
    if (ownSecrets.has(name)) {
      this.#refuse(at, `names ${name}, a setting of this server, which no model server may get`);
      return undefined;
    }
    const { variables } = this.#options;
    const key = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (key === undefined) this.#refuse(at, `names ${name}, but that environment variable is not set`);
    else if (!/^[\x20-\x7e]*$/.test(key))
      this.#refuse(at, `names ${name}, which must contain only ASCII characters: copy it again in full`);
    else this.secrets.push(key);
    return key;
  }

  #toUrl(text: string, place: Place): string {
    const url = this.expansion.expand(text, (sentence) => this.#refuse(place, sentence));
    if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
      this.#refuse(place, "must be a URL that starts with http:// or https://");
      return openAiUrl;
    }
    const { username, password, search, hash, pathname } = new URL(url);
    if (username !== "" || password !== "")
      this.#refuse(place, "must not contain a user or password: use apiKeyVariable or headers");
    if (search !== "" || hash !== "") this.#refuse(place, "must not contain a query or a fragment");
    if (/\/(?:chat\/completions|responses|models)\/?$/.test(pathname))
      this.#refuse(place, "must be the root of the API, like http://localhost:11434/v1");
    return url;
  }

  #toHeaders(sent: Readonly<Record<string, string>>, place: Place): Readonly<Record<string, string>> {
    const headers = Object.entries(sent).map(([name, text]) => {
      const value = this.expansion.expand(text, (sentence) => this.#refuse([...place, name], sentence));
      return [name, value] as const;
    });
    checkHeaders(headers, place, this.#refuse);
    const seen = new Set<string>();
    for (const [name, value] of headers) {
      if (fixedHeaders.test(name)) this.#refuse([...place, name], "is set by each request itself");
      if (seen.has(name.toLowerCase())) this.#refuse([...place, name], "stands twice, in different cases");
      seen.add(name.toLowerCase());
      if (/auth|key|token|secret|cookie/i.test(name)) this.secrets.push(value, value.replace(/^\w+ +/, ""));
    }
    return Object.fromEntries(headers);
  }

  #toTemperature(value: unknown, place: Place): number | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value === "number" && value >= 0 && value <= 2) return value;
    this.#refuse(
      [...place, "parameters", "defaults", "temperature"],
      "must be a number from 0 to 2, or null",
    );
    return undefined;
  }

  #toRename(rename: Readonly<Record<string, string>>, place: Place): Readonly<Record<string, string>> {
    for (const [name, newName] of Object.entries(rename))
      if (fixedParameters.has(name) || fixedParameters.has(newName))
        this.#refuse([...place, "parameters", "rename", name], "is set by each request itself");
      else if (Object.hasOwn(rename, newName))
        this.#refuse(
          [...place, "parameters", "rename", name],
          `must not be ${newName}, which is renamed, too`,
        );
    return rename;
  }

  #toDefaults(defaults: JsonObject, place: Place): JsonObject {
    for (const name of Object.keys(defaults))
      if (fixedParameters.has(name))
        this.#refuse([...place, "parameters", "defaults", name], "is set by each request itself");
    return defaults;
  }
}
