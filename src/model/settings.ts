/** The settings of one model: how to reach it, its limits and prices, its users, and its replacements. */
import type { JsonObject } from "../base/json.ts";
import type { OpensReasoning } from "../turn/reply/opened-reasoning.ts";

/** How to reach a model, and how long to wait for it. */
export interface OpenAiOptions {
  /** The name by which the server knows it. */
  readonly model: string;
  readonly apiKey: string | undefined;
  readonly baseUrl: string | undefined;
  readonly organization: string | undefined;
  readonly project: string | undefined;
  /** Set for Azure OpenAI; `model` is then the deployment's name. */
  readonly azure:
    | { readonly endpoint: string; readonly apiKey: string; readonly apiVersion: string }
    | undefined;
  /** Sent with each request, beside those that the protocol needs. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** `undefined` sends none. */
  readonly temperature: number | undefined;
  /** The longest wait from the request to the first event, in milliseconds. */
  readonly firstByteTimeoutMs: number;
  /** The longest silence between two events, in milliseconds. */
  readonly idleTimeoutMs: number;
}

/** A model's prices for a million tokens, in the operator's currency. */
export interface ModelPrice {
  readonly input: number;
  /** Input from the model's cache; `undefined` for the price of other input. */
  readonly cachedInput?: number | undefined;
  readonly output: number;
  /** Reasoning, a part of the output; `undefined` for the price of other output. */
  readonly reasoning?: number | undefined;
}

/** The parameters of requests to a model. */
export interface ParameterSettings {
  /** The names of the parameters that clients may set; `undefined` if they may set all. */
  readonly allowed?: readonly string[] | undefined;
  /**
   * Sent unless the client sets them; `null` is never sent, even if the client sets it. A temperature is in
   * {@link OpenAiOptions} unless it is `null`.
   */
  readonly defaults?: JsonObject | undefined;
  /** The names under which parameters are sent instead. */
  readonly rename?: Readonly<Record<string, string>> | undefined;
}

/** One configured model. */
export interface ModelSettings {
  /** The name by which clients choose it, unlike that of any other model. */
  readonly name: string;
  /**
   * Whether turns and usage always keep `name`. If not, they keep the name that the server reports, as they
   * do for the single model of the environment.
   */
  readonly keepsName: boolean;
  readonly openai: OpenAiOptions;
  /** The most tokens of a prompt and its reply; `undefined` if unknown. */
  readonly windowTokens?: number | undefined;
  /** The most tokens of a reply; `undefined` if unknown. */
  readonly maxOutputTokens?: number | undefined;
  /** The most characters of a stored path that are read for it; `undefined` to follow its window. */
  readonly maxContextChars?: number | undefined;
  readonly price?: ModelPrice | undefined;
  readonly parameters?: ParameterSettings | undefined;
  /** Whether its replies start inside its reasoning. */
  readonly opensReasoning: OpensReasoning;
  /** The names of the models that are asked instead if this one fails, in that order. */
  readonly fallback: readonly string[];
  /** A model that has sent no event after this many milliseconds is left, if it has a fallback. */
  readonly failoverAfterMs: number;
  /** The ids of the users who may use it; `undefined` if all may, unless `keys` limits them. */
  readonly users?: readonly string[] | undefined;
  /** The names of the API keys that may use it; `undefined` if all may, unless `users` limits them. */
  readonly keys?: readonly string[] | undefined;
}

/** At least one model; the first is the default. */
export type ModelList = readonly [ModelSettings, ...ModelSettings[]];

/** The models of a server. */
export type ModelOptions =
  | { readonly type: "demo"; /** Whether a real model is configured as well. */ readonly isForced: boolean }
  | {
      readonly type: "openai";
      readonly models: ModelList;
      /** The file that lists them; `undefined` for the single model of the environment. */
      readonly file: string | undefined;
      /** The model that makes titles of conversations; `undefined` if none does. */
      readonly titles: ModelSettings | undefined;
    };

/** How long a model may say nothing before it is left for its fallback, unless set, in milliseconds. */
export const defaultFailoverAfterMs = 10_000;
