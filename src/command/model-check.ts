/** Checks the model server, its key and its model, and how to fix each problem. It costs no tokens. */
import type { AppOptions } from "../app.ts";
import { toModelFailure } from "../model/model-failure.ts";
import type { OpenAiOptions } from "../model/settings.ts";
import { probeServer } from "../model/server-probe.ts";
import type { Finding } from "./finding.ts";
import { toWindowFinding } from "./window-check.ts";

const subject = "model";
/** How many of a server's model names are shown. */
const maxShown = 8;

/** Signs of a failed connection, each with its cause and advice, which the name of the setting precedes. */
const connectionRules: readonly (readonly [sign: RegExp, text: string, advice: string])[] = [
  [/ENOTFOUND|EAI_AGAIN/, "host not found", "correct the host"],
  [/ECONNREFUSED/, "nothing is listening there", "start the model server, or correct host and port"],
  [/ERR_SSL_WRONG_VERSION_NUMBER|EPROTO|WRONG_VERSION/, "it speaks http, not https", "start it with http://"],
  [
    /CERT|certificate|self[- ]signed|ALTNAME|UNABLE_TO_/i,
    "its certificate cannot be verified",
    "set NODE_EXTRA_CA_CERTS=<PEM file> to its certificate authority, or correct the host",
  ],
  [
    /ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|TIMEOUT|timed out/i,
    "no response",
    "correct the host, and allow the connection in firewalls and proxies",
  ],
  [
    /ECONNRESET|SOCKET|closed|terminated/i,
    "the server closed the connection",
    "correct host and port, and check its log",
  ],
];

/** Checks the model. Never rejects. */
export async function checkModel(options: AppOptions["model"]): Promise<Finding> {
  if (options.type === "demo") return { subject, isWell: true, text: "the built-in demo" };
  const [settings] = options.models;
  const { openai } = settings;
  try {
    const { status, body } = await probeServer(openai, "/models");
    if (status !== 200 && ![404, 405, 501].includes(status)) return toRefusal(openai, status, body);
    if (openai.azure !== undefined && status === 200) return isThere(openai);
    const names = status === 200 ? toNames(body) : undefined;
    // Some servers list no models, and a wrong URL fails for every route.
    if (names === undefined) return await checkRoute(openai);
    if (names.some((name) => name === openai.model || name === `${openai.model}:latest`))
      return { subject, ...toWindowFinding(settings, body) };
    return toUnlisted(openai.model, names);
  } catch (error) {
    return toUnreachable(openai, error);
  }
}

function isThere({ model }: OpenAiOptions): Finding {
  return { subject, isWell: true, text: `${model} is available` };
}

function toUnlisted(model: string, names: readonly string[]): Finding {
  const text = `the server does not list ${model}`;
  if (names.length === 0)
    return {
      subject,
      isWell: false,
      text: "the server has no models",
      fix: `install one, for example \`ollama pull ${model}\``,
    };
  const more = names.length > maxShown ? ", …" : "";
  return {
    subject,
    isWell: false,
    text,
    fix: `set OPENAI_MODEL to one of: ${names.slice(0, maxShown).join(", ")}${more}`,
  };
}

/**
 * Requests a reply to no messages: every server refuses that, after checking the URL, the key and the model.
 */
async function checkRoute(openai: OpenAiOptions): Promise<Finding> {
  const { status, body } = await probeServer(openai, "/chat/completions", {
    model: openai.model,
    messages: [],
    max_tokens: 1,
  });
  const isRoute = status === 400 || status === 422 || (status === 200 && /"choices"/.test(body));
  if (!isRoute || toModelFailure(status, body).code === "model_not_found")
    return toRefusal(openai, status, body);
  return {
    subject,
    isWell: true,
    text: `the server responds, but does not list its models: ${openai.model} cannot be checked`,
  };
}

function toNames(body: string): readonly string[] | undefined {
  try {
    const { data }: { data?: unknown } = JSON.parse(body);
    if (!Array.isArray(data)) return undefined;
    return data.flatMap((item: { id?: unknown } | null) => (typeof item?.id === "string" ? [item.id] : []));
  } catch {
    return undefined; // a web page, not a list
  }
}

function toRefusal(openai: OpenAiOptions, status: number, body: string): Finding {
  const place = openai.azure === undefined ? "OPENAI_BASE_URL" : "AZURE_OPENAI_ENDPOINT";
  const { code, message } = toModelFailure(status, body);
  const withFix = (fix: string): Finding => ({ subject, isWell: false, text: `${code}: ${message}`, fix });
  if (/plain HTTP request was sent to HTTPS/i.test(body))
    return withFix(`it speaks https: start ${place} with https://`);
  if (code === "model_unauthorized") return withFix(toKeyAdvice(openai));
  if (code === "model_no_credit")
    return withFix("the account has no credit: add some, or set another account's key");
  if (code === "model_not_found") return withFix("set OPENAI_MODEL to one of the server's models");
  if (code === "model_rate_limited") return withFix("wait and run this again, or request more quota");
  if (code === "model_unavailable")
    return withFix("the model server has a problem: check its log, then run this again");
  if (openai.azure !== undefined)
    return withFix(
      "check AZURE_OPENAI_ENDPOINT (https://<resource>.openai.azure.com), OPENAI_API_VERSION, and that OPENAI_MODEL is a deployment",
    );
  const { origin, pathname } = new URL(openai.baseUrl ?? "https://api.openai.com/v1");
  const guess = /\/v1\/?$/.test(pathname) ? `${origin}/v1` : `${origin}${pathname.replace(/\/$/, "")}/v1`;
  return withFix(`OPENAI_BASE_URL must be the API's root, without /chat/completions; try ${guess}`);
}

function toKeyAdvice({ azure, apiKey }: OpenAiOptions): string {
  if (azure !== undefined)
    return "check AZURE_OPENAI_API_KEY: it must belong to the resource at AZURE_OPENAI_ENDPOINT";
  if (apiKey === undefined) return "the server requires a key: set OPENAI_API_KEY";
  return "check OPENAI_API_KEY: it must be valid for the server at OPENAI_BASE_URL, and not expired";
}

function toUnreachable(openai: OpenAiOptions, error: unknown): Finding {
  const place = openai.azure === undefined ? "OPENAI_BASE_URL" : "AZURE_OPENAI_ENDPOINT";
  const words = listCauses(error).join(": ").replaceAll(/\s+/g, " ").trim();
  const rule = connectionRules.find(([sign]) => sign.test(words));
  if (rule === undefined)
    return { subject, isWell: false, text: words, fix: `check ${place}, and that the server is running` };
  const [, text, advice] = rule;
  return {
    subject,
    isWell: false,
    text: `model_unavailable: ${text} (${words})`,
    fix: `check ${place}: ${advice}`,
  };
}

/** Returns the messages of an error and its causes, with their codes. */
function listCauses(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [String(error)];
  const code = "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
  const inner = error instanceof AggregateError ? error.errors.flatMap(listCauses) : [];
  const causes = error.cause === undefined ? inner : listCauses(error.cause);
  const own = error.message === "" ? [] : [`${error.message}${code}`];
  return [...own, ...causes];
}
