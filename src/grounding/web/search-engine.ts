/** Asks a search engine: each has its own request and response, and one shape of results here. */
import { request } from "undici";
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import { parseJson } from "../../base/json.ts";
import { mebibyte } from "../../base/sizes.ts";
import { takeCredentials } from "../credentials.ts";
import { readResponseText } from "../response-text.ts";
import { decodeHtmlText } from "./html-entities.ts";
import type { SearchEngineName, WebSearchSettings } from "./settings.ts";

/** A page that an engine has found. */
export interface SearchResult {
  readonly title: string;
  /** An address by `http:` or `https:`, without credentials. */
  readonly url: string;
  readonly snippet: string;
  /** The page's text, if the engine returns it. */
  readonly text: string | undefined;
}

/** The most results of a search. */
const maxResults = 10;
/** A longer address is left out: addresses are stored with the turn. */
const maxUrlLength = 2_048;
const maxResponseBytes = 4 * mebibyte;

/** How an engine is asked, and how it answers. */
interface Protocol {
  toRequest(query: string, settings: WebSearchSettings): EngineRequest;
  /** Reads a response; throws if it has another form. */
  readonly response: z.ZodType<readonly SearchResult[]>;
}

interface EngineRequest {
  readonly url: URL;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

const Text = z
  .string()
  .nullish()
  .catch(undefined)
  .transform((text) => decodeHtmlText(text ?? ""));

/** A list of results; those of another form are left out. */
function resultsOf<Result>(schema: z.ZodType<Result>): z.ZodType<readonly Result[]> {
  return z
    .array(z.unknown())
    .transform((items) => items.flatMap((item) => schema.safeParse(item).data ?? []));
}

const SearxngResult = z
  .object({ title: Text, url: z.string(), content: Text })
  .transform(({ title, url, content }): SearchResult => ({ title, url, snippet: content, text: undefined }));

const BraveResult = z
  .object({
    title: Text,
    url: z.string(),
    description: Text,
    extra_snippets: z.array(Text).nullish().catch(undefined),
  })
  .transform(({ title, url, description, extra_snippets: more }): SearchResult => {
    return { title, url, snippet: [description, ...(more ?? [])].join("\n"), text: undefined };
  });

const TavilyResult = z
  .object({ title: Text, url: z.string(), content: Text, raw_content: z.string().nullish().catch(undefined) })
  .transform(({ title, url, content, raw_content: text }): SearchResult => {
    return { title, url, snippet: content, text: text ?? undefined };
  });

const protocols: Readonly<Record<SearchEngineName, Protocol>> = {
  // https://docs.searxng.org/dev/search_api.html
  searxng: {
    toRequest: (query, { baseUrl }) => {
      const url = toUrl(baseUrl, "search");
      url.search = new URLSearchParams({ q: query, format: "json" }).toString();
      return { url, method: "GET", headers: {} };
    },
    response: z
      .object({
        results: resultsOf(SearxngResult),
        unresponsive_engines: z.array(z.unknown()).nullish().catch(undefined),
      })
      .transform(({ results, unresponsive_engines: silent }, context) => {
        if (results.length === 0 && (silent?.length ?? 0) > 0)
          context.addIssue("SearXNG's own engines do not respond (unresponsive_engines)");
        return results;
      }),
  },
  // https://api-dashboard.search.brave.com/app/documentation/web-search/get-started
  brave: {
    toRequest: (query, { baseUrl, apiKey = "" }) => {
      const url = toUrl(baseUrl, "res/v1/web/search");
      url.search = new URLSearchParams({ q: query, count: String(maxResults) }).toString();
      return { url, method: "GET", headers: { "x-subscription-token": apiKey } };
    },
    response: z
      .object({ web: z.object({ results: resultsOf(BraveResult) }).nullish() })
      .transform(({ web }) => web?.results ?? []),
  },
  // https://docs.tavily.com/documentation/api-reference/endpoint/search
  tavily: {
    toRequest: (query, { baseUrl, apiKey = "" }) => ({
      url: toUrl(baseUrl, "search"),
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ query, max_results: maxResults, include_raw_content: true }),
    }),
    response: z.object({ results: resultsOf(TavilyResult) }).transform(({ results }) => results),
  },
};

/**
 * Resolves with the pages that the configured engine finds, the best first, each address once.
 * @throws AppError `search_unavailable`, with the engine's status or the form of its response as the reason.
 */
export async function askEngine(
  query: string,
  settings: WebSearchSettings,
  signal: AbortSignal,
): Promise<readonly SearchResult[]> {
  const { engine } = settings;
  const protocol = protocols[engine];
  const { url: baseUrl, ...credentials } = takeCredentials(settings.baseUrl);
  const { url, ...options } = protocol.toRequest(query, { ...settings, baseUrl });
  const headers = { accept: "application/json", ...credentials, ...options.headers };
  const response = await request(url, { ...options, headers, signal }).catch((cause: unknown) => {
    throw toFailure(engine, cause instanceof Error ? cause.message : "no response", { cause });
  });
  const body = await readResponseText(response.body, maxResponseBytes).catch((cause: unknown) => {
    throw toFailure(engine, cause instanceof Error ? cause.message : "no response", { cause });
  });
  const { statusCode: status } = response;
  if (status !== 200) throw toFailure(engine, `status ${status}`, { advice: toAdvice(engine, status) });
  const json = parseJson(body);
  if (json === undefined) throw toFailure(engine, "no JSON", { advice: addressAdvice });
  const found = protocol.response.safeParse(json);
  if (!found.success) throw toFailure(engine, found.error.issues[0]?.message ?? "another form of response");
  return takeUsable(found.data);
}

function toFailure(
  engine: string,
  reason: string,
  { cause, advice }: { readonly cause?: unknown; readonly advice?: string | undefined } = {},
): AppError {
  const message = `${engine}: ${reason}${advice === undefined ? "" : `: ${advice}`}`;
  return new AppError("search_unavailable", message, { cause, advice });
}

const addressAdvice = "check SEARCH_BASE_URL: it must be the engine's address, without /search";

/** Returns how to fix a refusal, if that is known. */
function toAdvice(engine: SearchEngineName, status: number): string | undefined {
  if (engine === "searxng" && status === 403)
    return "allow JSON in its settings.yml (search: formats: [html, json]), and turn off its limiter";
  if (engine === "searxng" && status === 401)
    return "a proxy asks for a user and password: write them into SEARCH_BASE_URL";
  // Brave refuses an unknown key with 422.
  if (status === 401 || status === 403 || (engine === "brave" && status === 422))
    return "check SEARCH_API_KEY";
  if (status === 404 || status === 405 || (status >= 300 && status < 400)) return addressAdvice;
  if (status === 402 || status === 429 || (engine === "tavily" && (status === 432 || status === 433)))
    return engine === "searxng"
      ? "turn off its limiter for this server"
      : "the searches of the account's plan are used up, or came too fast";
  return undefined;
}

function toUrl(base: URL, path: string): URL {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${path}`;
  return url;
}

function takeUsable(results: readonly SearchResult[]): readonly SearchResult[] {
  const byUrl = new Map<string, SearchResult>();
  for (const result of results) {
    const url = toPageUrl(result.url);
    if (url !== undefined && !byUrl.has(url)) byUrl.set(url, { ...result, url });
  }
  return Array.from(byUrl.values()).slice(0, maxResults);
}

/** Returns an address that can be read, without its fragment; `undefined` if it is none. */
function toPageUrl(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    return undefined;
  url.hash = "";
  return url.href.length <= maxUrlLength ? url.href : undefined;
}
