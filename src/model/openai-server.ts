/** Builds requests to an OpenAI-compatible server with the `openai` package; sends none. */
import OpenAI, { AzureOpenAI } from "openai";
import type { Prompt } from "../turn/instructions.ts";
import type { Clock } from "../base/clock.ts";
import { callForms, toCalledTools, toSigned } from "./request/call-forms.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { toOpenAiMessages } from "./request/openai-messages.ts";
import type { OfferedTools } from "./stream/tool-calls.ts";
import { hasClientTools, toolParameters, toToolOffer } from "./request/tool-offer.ts";
import type { ModelSettings, OpenAiOptions } from "./settings.ts";

/** The URL and headers of all completion requests. */
export interface Target {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A request ready to be sent. */
export interface CompletionRequest extends Target {
  readonly body: string;
  /** The optional parameters in it. */
  readonly parameters: readonly OptionalParameter[];
  /** The tools in it; `undefined` if there are none. */
  readonly offered: OfferedTools | undefined;
}

/**
 * Parameters that we add ourselves, and forms of messages, that a model may refuse: it is then asked again
 * without them, and never sent them again. Parameters from a client are never left out, nor those about its
 * tools.
 */
const addedParameters = ["temperature", "stream_options"] as const;
const optionalParameters = [...addedParameters, ...toolParameters, ...callForms] as const;
export type OptionalParameter = (typeof optionalParameters)[number];

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
  /** Whether it may read PDFs: until it has shown that it does not. */
  readsFiles = true;
  /** Sends the requests. */
  readonly pool: ConnectionPool;
  /** Parameters that this model has refused, and is not sent again. */
  readonly #refused = new Set<OptionalParameter>();
  /**
   * The same for every request; made once, as that takes longer than all other work before a request is sent.
   */
  readonly #loading: Promise<Target>;
  #target: Target | undefined;

  constructor(settings: ModelSettings, clock: Clock) {
    this.settings = settings;
    this.options = settings.openai;
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
   * Returns the request for `prompt`, without the optional parameters in `without` and those refused before.
   */
  toRequest(prompt: Prompt, without: ReadonlySet<OptionalParameter>, target: Target): CompletionRequest {
    const { extra, ...asked } = prompt.parameters;
    const isRefused = (name: OptionalParameter): boolean => this.#refused.has(name) || without.has(name);
    const added = addedParameters.filter((name) => !isRefused(name) && !Object.hasOwn(asked, name));
    const { fields, optional, offered } = toToolOffer(prompt, isRefused);
    const forms = callForms.filter((name) => !isRefused(name));
    const messages = toOpenAiMessages(prompt, hasClientTools(prompt) || !isRefused("tools"));
    const namesTools = offered === undefined && prompt.kind === "chat" && isRefused("calls_without_tools");
    const body = {
      ...extra, // first, so that none of it overrides ours
      model: this.options.model,
      messages: forms.includes("unsigned_calls") ? messages : toSigned(messages),
      stream: true,
      ...(added.includes("stream_options") && { stream_options: { include_usage: true } }),
      ...(added.includes("temperature") && { temperature: this.options.temperature }),
      ...asked,
      ...fields,
      ...(namesTools && toCalledTools(messages)),
    };
    const parameters = [...forms, ...added, ...optional];
    return { ...target, body: JSON.stringify(body), parameters, offered };
  }

  /** Remembers parameters that the model refused, once it replied without them. */
  remember(refused: ReadonlySet<OptionalParameter>): void {
    for (const name of refused) this.#refused.add(name);
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
