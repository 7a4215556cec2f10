/** Builds requests to an OpenAI-compatible server with the `openai` package; sends none. */
import OpenAI, { AzureOpenAI } from "openai";
import type { Prompt } from "../turn/instructions.ts";
import type { Clock } from "../base/clock.ts";
import { countText, toJsonText, type JsonText } from "../base/json/long-json.ts";
import type { Observer } from "../turn/observer.ts";
import { callForms, findSystemForms, toCalledTools, toSigned, toSystemForm } from "./request/call-forms.ts";
import { ContextMemory } from "./context/context-memory.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { toOpenAiMessages } from "./request/openai-messages.ts";
import { FileMemory } from "./request/file-memory.ts";
import { ParameterMemory, type Correction } from "./request/parameter-memory.ts";
import type { RefusedRequest } from "./request/refused-parameter.ts";
import { toSentParameters } from "./request/sent-parameters.ts";
import type { OfferedTools } from "./stream/tool-calls.ts";
import { hasClientTools, toToolOffer } from "./request/tool-offer.ts";
import type { ModelSettings, OpenAiOptions } from "./settings.ts";

/** The URL and headers of all completion requests. */
export interface Target {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A request ready to be sent. */
export interface CompletionRequest extends Target, RefusedRequest {
  readonly body: JsonText;
  /** The tools in it; `undefined` if there are none. */
  readonly offered: OfferedTools | undefined;
}

/** Returns the package's client, for its knowledge of URLs, headers and Azure; it sends nothing itself. */
export function createClient(options: OpenAiOptions): OpenAI {
  // `null` keeps the package from reading the environment.
  const shared = {
    organization: options.organization ?? null,
    project: options.project ?? null,
    defaultHeaders: options.headers ?? {},
    maxRetries: 0,
  };
  if (options.azure !== undefined) return new AzureOpenAI({ ...shared, ...options.azure, baseURL: null });
  return new OpenAI({ ...shared, apiKey: options.apiKey ?? "none", baseURL: options.baseUrl ?? null });
}

/** Whether requests carry a key, or an `Authorization` header of their own. */
export function hasCredentials({ azure, apiKey, headers = {} }: OpenAiOptions): boolean {
  return azure !== undefined || apiKey !== undefined || new Headers(headers).has("authorization");
}

/** A server, and the parameters that it refuses. */
export class OpenAiServer {
  readonly settings: ModelSettings;
  readonly options: OpenAiOptions;
  /** Whether it reads PDFs. */
  readonly files: FileMemory;
  /** How much it can be sent. */
  readonly context: ContextMemory;
  /** Sends the requests. */
  readonly pool: ConnectionPool;
  readonly #observe: Observer;
  readonly #memory: ParameterMemory;
  readonly #defaults: Readonly<Record<string, unknown>>;
  /**
   * The same for every request; made once, as that takes longer than all other work before a request is sent.
   */
  readonly #loading: Promise<Target>;
  #target: Target | undefined;

  constructor(settings: ModelSettings, clock: Clock, observe: Observer) {
    this.settings = settings;
    this.#observe = observe;
    this.options = settings.openai;
    const { defaults = {}, rename } = settings.parameters ?? {};
    this.#defaults = { temperature: this.options.temperature, ...defaults };
    this.#memory = new ParameterMemory(rename);
    this.context = new ContextMemory(settings);
    this.files = new FileMemory(clock);
    this.pool = new ConnectionPool(clock);
    this.#loading = toTarget(this.options);
    this.#loading.then(
      (target) => (this.#target = target),
      () => {}, // rethrown by `loadTarget`
    );
  }

  /** The target of requests; `undefined` for a moment at the start. */
  get target(): Target | undefined {
    return this.#target;
  }

  /** Resolves with the target of requests. */
  async loadTarget(): Promise<Target> {
    return await this.#loading;
  }

  /**
   * Returns the request for `prompt`, with `corrections` and those that the server has remembered.
   * @param more headers beside those of the target.
   */
  toRequest(
    prompt: Prompt,
    corrections: readonly Correction[],
    target: Target,
    more?: Readonly<Record<string, string>>,
  ): CompletionRequest {
    const memory = corrections.length === 0 ? this.#memory : this.#memory.with(corrections);
    const isRefused = (name: string): boolean => memory.leavesOut(name);
    const parameters = memory.apply(
      toSentParameters(prompt.parameters, this.#defaults, this.settings.parameters?.allowed),
    );
    const { fields, optional, offered } = toToolOffer(prompt, isRefused);
    const forms = callForms.filter((name) => !isRefused(name));
    const messages = toOpenAiMessages(prompt, hasClientTools(prompt) || !isRefused("tools"));
    const systemForms = prompt.kind === "chat" ? findSystemForms(messages) : [];
    const withSystem = toSystemForm(messages, systemForms.filter(isRefused));
    const namesTools = offered === undefined && prompt.kind === "chat" && isRefused("calls_without_tools");
    const streamOptions = isRefused("stream_options") ? undefined : { include_usage: true };
    const body = {
      ...parameters, // first, so that none of them overrides ours
      model: this.options.model,
      messages: forms.includes("unsigned_calls") ? withSystem : toSigned(withSystem),
      stream: true,
      stream_options: streamOptions,
      ...fields,
      ...(namesTools && toCalledTools(messages)),
    };
    const added = [
      ...forms,
      ...systemForms.filter((name) => !isRefused(name)),
      ...(streamOptions === undefined ? [] : ["stream_options"]),
      ...optional,
    ];
    const { parameters: asked } = prompt;
    const headers = more === undefined ? target.headers : { ...target.headers, ...more };
    return {
      ...target,
      headers,
      body: toJsonText(body, countText(body)),
      parameters,
      asked,
      added,
      offered,
    };
  }

  /** Remembers a request with which the model has replied, and the corrections in it. */
  remember({ parameters }: RefusedRequest, corrections: readonly Correction[]): void {
    const { name: model } = this.settings;
    for (const correction of corrections) {
      this.#memory.learn(correction);
      const { name: parameter, newName, replacement } = correction;
      const instead = newName ?? replacement;
      this.#observe({ type: "parameter-refused", model, parameter, instead });
    }
    this.#memory.accept(parameters);
  }
}

async function toTarget(options: OpenAiOptions): Promise<Target> {
  const { model } = options;
  const { req, url } = await createClient(options).buildRequest({
    method: "post",
    path: "/chat/completions",
    body: { model, messages: [], stream: true }, // on Azure the URL names the model
    stream: true,
  });
  const headers = new Headers(req.headers);
  headers.set("accept", "text/event-stream");
  headers.set("accept-encoding", "identity");
  if (!hasCredentials(options)) headers.delete("authorization");
  const { origin, pathname, search } = new URL(url);
  return { origin, path: pathname + search, headers: Object.fromEntries(headers) };
}
