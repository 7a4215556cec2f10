/** Checks the search engine with one search, and shows how to fix each problem. */
import type { AppOptions } from "../../app.ts";
import { toAppError } from "../../base/errors.ts";
import { askEngine } from "../../grounding/web/search-engine.ts";
import type { WebSearchSettings } from "../../grounding/web/settings.ts";
import { toPrintable } from "../../observe/printable.ts";
import { explainConnection } from "./connection-advice.ts";
import type { Finding } from "../finding.ts";

const subject = "web search";
/** The query: it must be found by any engine. */
const query = "weather";
/** As long as a search of a turn may take, in milliseconds. */
const timeoutMs = 8_000;

/** Checks the engine, if there is one. Never rejects. */
export async function checkSearch(settings: AppOptions["webSearch"]): Promise<readonly Finding[]> {
  if (settings === undefined) return [];
  try {
    const found = await askEngine(query, settings, AbortSignal.timeout(timeoutMs));
    return [toFound(settings, found.length)];
  } catch (error) {
    return [toProblem(settings, error)];
  }
}

function toFound(settings: WebSearchSettings, count: number): Finding {
  const text = `${toPlace(settings)}: ${count} pages found`;
  if (count === 0)
    return {
      subject,
      isWell: true,
      isWarning: true,
      text,
      fix: "try a search at the engine itself: every search may be empty",
    };
  // Other engines than one's own count searches.
  const isOwn = settings.engine === "searxng";
  return { subject, isWell: true, text: isOwn ? text : `${text}; the check was one search of the account` };
}

function toProblem(settings: WebSearchSettings, failure: unknown): Finding {
  const { message, advice, cause } = toAppError(failure);
  const fix = advice ?? toAdvice(settings, message, cause);
  const text = message.replace(`: ${fix}`, "");
  return { subject, isWell: false, text: toPrintable(`${toPlace(settings)}: ${text}`), fix };
}

/** Returns how to fix a failure that tells no fix itself. */
function toAdvice({ engine }: WebSearchSettings, message: string, cause: unknown): string {
  if (/unresponsive_engines/.test(message))
    return "try a search at SearXNG itself: the engines that it asks refuse it, or are too slow";
  const setting = engine === "searxng" ? "SEARCH_BASE_URL" : "the network, and SEARCH_BASE_URL if it is set";
  const { known } = explainConnection(cause, "the engine");
  return `check ${setting}${known === undefined ? "" : `: ${known.advice}`}`;
}

/** Returns where the engine is, without credentials in the address. */
function toPlace({ engine, baseUrl }: WebSearchSettings): string {
  return `${engine} at ${baseUrl.origin}${baseUrl.pathname}`;
}
