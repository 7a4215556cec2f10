/** Checks the model server, its key and its model, and says how to fix what is wrong. It costs no tokens. */
import type { AppOptions } from "../app.ts";
import { toModelFailure } from "../model/model-failure.ts";
import type { OpenAiOptions } from "../model/openai-server.ts";
import { probeServer } from "../model/server-probe.ts";
import type { Finding } from "./finding.ts";

const subject = "model";
/** How many of the names that a server lists are shown. */
const maxShown = 8;

/** Signs of a failed connection, each with a sentence and advice; the name of the setting is put before the advice. */
const connectionRules: readonly (readonly [sign: RegExp, text: string, advice: string])[] = [
  [/ENOTFOUND|EAI_AGAIN/, "there is no host of that name", "correct the host"],
  [/ECONNREFUSED/, "nothing listens there", "start the model server, or correct host and port"],
  [/ERR_SSL_WRONG_VERSION_NUMBER|EPROTO|WRONG_VERSION/, "it speaks http, not https", "begin it with http://"],
  [
    /CERT|certificate|self[- ]signed|ALTNAME|UNABLE_TO_/i,
    "its certificate cannot be checked",
    "let Node know its authority, with NODE_EXTRA_CA_CERTS=<file of PEM>; or correct the host",
  ],
  [
    /ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|TIMEOUT|timed out/i,
    "nothing answered",
    "correct the host, and let firewalls and proxies between pass it",
  ],
  [
    /ECONNRESET|SOCKET|closed|terminated/i,
    "what answers there closes the connection",
    "correct host and port, and look at its log",
  ],
];

/** Checks the model. Never rejects. */
export async function checkModel(options: AppOptions["model"]): Promise<Finding> {
  if (options.type === "demo") return { subject, isWell: true, text: "the built-in demo" };
  const { openai } = options;
  try {
    const { status, body } = await probeServer(openai, "/models");
    if (status !== 200 && ![404, 405, 501].includes(status)) return toRefusal(openai, status, body);
    if (openai.azure !== undefined && status === 200) return isThere(openai);
    const names = status === 200 ? toNames(body) : undefined;
    // Some servers list no models; and an address that is wrong is wrong for all.
    if (names === undefined) return await checkRoute(openai);
    if (names.some((name) => name === openai.model || name === `${openai.model}:latest`))
      return isThere(openai);
    return toUnlisted(openai.model, names);
  } catch (error) {
    return toUnreachable(openai, error);
  }
}

function isThere({ model }: OpenAiOptions): Finding {
  return { subject, isWell: true, text: `${model} is there` };
}

function toUnlisted(model: string, names: readonly string[]): Finding {
  const text = `the server does not list ${model}`;
  if (names.length === 0)
    return {
      subject,
      isWell: false,
      text: "the server has no models",
      fix: `give it one, like \`ollama pull ${model}\``,
    };
  const more = names.length > maxShown ? ", …" : "";
  return {
    subject,
    isWell: false,
    text,
    fix: `set OPENAI_MODEL to one that it lists: ${names.slice(0, maxShown).join(", ")}${more}`,
  };
}

/** Asks for a reply to nothing, which every server refuses, and not without looking at address, key and model. */
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
    text: `the server is there; whether it has ${openai.model} it does not say`,
  };
}

function toNames(body: string): readonly string[] | undefined {
  try {
    const { data }: { data?: unknown } = JSON.parse(body);
    if (!Array.isArray(data)) return undefined;
    return data.flatMap((item: { id?: unknown } | null) => (typeof item?.id === "string" ? [item.id] : []));
  } catch {
    return undefined; // a page, not a list
  }
}

function toRefusal(openai: OpenAiOptions, status: number, body: string): Finding {
  const place = openai.azure === undefined ? "OPENAI_BASE_URL" : "AZURE_OPENAI_ENDPOINT";
  const { code, message } = toModelFailure(status, body);
  const said = (fix: string): Finding => ({ subject, isWell: false, text: `${code}: ${message}`, fix });
  if (/plain HTTP request was sent to HTTPS/i.test(body))
    return said(`it speaks https: begin ${place} with https://`);
  if (code === "model_unauthorized") return said(toKeyAdvice(openai));
  if (code === "model_no_credit")
    return said("the account has no credit: add some, or set the key of another");
  if (code === "model_not_found") return said("set OPENAI_MODEL to a model that the server has");
  if (code === "model_rate_limited") return said("wait, and run this again; or ask for more quota");
  if (code === "model_unavailable")
    return said("the model server has trouble: look at its log, and run this again");
  if (openai.azure !== undefined)
    return said(
      "check AZURE_OPENAI_ENDPOINT (https://<resource>.openai.azure.com), OPENAI_API_VERSION, and the deployment that OPENAI_MODEL names",
    );
  const { origin, pathname } = new URL(openai.baseUrl ?? "https://api.openai.com/v1");
  const guess = /\/v1\/?$/.test(pathname) ? `${origin}/v1` : `${origin}${pathname.replace(/\/$/, "")}/v1`;
  return said(
    `OPENAI_BASE_URL must be the root of the API, to which /chat/completions is added; try ${guess}`,
  );
}

function toKeyAdvice({ azure, apiKey }: OpenAiOptions): string {
  if (azure !== undefined)
    return "check AZURE_OPENAI_API_KEY: it must be a key of the resource at AZURE_OPENAI_ENDPOINT";
  if (apiKey === undefined) return "the server asks for a key: set OPENAI_API_KEY";
  return "check OPENAI_API_KEY: it must be a key of the server at OPENAI_BASE_URL, not expired, and allowed to use it";
}

function toUnreachable(openai: OpenAiOptions, error: unknown): Finding {
  const place = openai.azure === undefined ? "OPENAI_BASE_URL" : "AZURE_OPENAI_ENDPOINT";
  const words = listCauses(error).join(": ").replaceAll(/\s+/g, " ").trim();
  const rule = connectionRules.find(([sign]) => sign.test(words));
  if (rule === undefined)
    return { subject, isWell: false, text: words, fix: `check ${place}, and that the server runs` };
  const [, text, advice] = rule;
  return {
    subject,
    isWell: false,
    text: `model_unavailable: ${text} (${words})`,
    fix: `check ${place}: ${advice}`,
  };
}

/** What an error and its causes say, with their codes. */
function listCauses(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [String(error)];
  const code = "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
  const inner = error instanceof AggregateError ? error.errors.flatMap(listCauses) : [];
  const causes = error.cause === undefined ? inner : listCauses(error.cause);
  const own = error.message === "" ? [] : [`${error.message}${code}`];
  return [...own, ...causes];
}
