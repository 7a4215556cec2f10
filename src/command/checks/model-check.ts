/** Checks each model server, its key and its model, and how to fix each problem. It costs no tokens. */
import type { AppOptions } from "../../app.ts";
import { Semaphore } from "../../base/semaphore.ts";
import { toModelFailure } from "../../model/model-failure.ts";
import type { ModelSettings, OpenAiOptions } from "../../model/settings.ts";
import { probeServer } from "../../model/server-probe.ts";
import { explainConnection } from "./connection-advice.ts";
import type { Finding } from "../finding.ts";
import { toWindowFinding } from "./window-check.ts";

const subject = "model";
/** How many of a server's model names are shown. */
const maxShown = 8;
/** How many servers are asked at once. */
const maxProbes = 8;

/** The names of the settings that advice is about. */
interface Names {
  readonly model: string;
  /** Of the server's URL. */
  readonly place: string;
  readonly key: string;
  readonly version: string;
}

/** Names in the environment, by whether the model is one of Azure's, and in an entry of a file. */
const variables = { model: "OPENAI_MODEL", version: "OPENAI_API_VERSION" };
const plainVariables: Names = { ...variables, place: "OPENAI_BASE_URL", key: "OPENAI_API_KEY" };
const azureVariables: Names = { ...variables, place: "AZURE_OPENAI_ENDPOINT", key: "AZURE_OPENAI_API_KEY" };
const fields = { model: "model", key: "apiKeyVariable", version: "azure.apiVersion" };

/** A model that is checked. */
interface Checked {
  readonly openai: OpenAiOptions;
  readonly names: Names;
}

/** Checks all models; resolves with a finding for each, in their order. Never rejects. */
export async function checkModels(options: AppOptions["model"]): Promise<readonly Finding[]> {
  if (options.type === "demo") return [{ subject, isWell: true, text: "the built-in demo" }];
  const { file, models } = options;
  const probes = new Semaphore(maxProbes);
  return await Promise.all(
    models.map(async (settings) => {
      const isAzure = settings.openai.azure !== undefined;
      if (file === undefined) return await check(settings, isAzure ? azureVariables : plainVariables);
      const names = { ...fields, place: isAzure ? "azure.endpoint" : "baseUrl" };
      const finding = await probes.run(() => check(settings, names));
      return { ...finding, text: `${settings.name}: ${finding.text}` };
    }),
  );
}

async function check(settings: ModelSettings, names: Names): Promise<Finding> {
  const { openai } = settings;
  const checked = { openai, names };
  try {
    const { status, body } = await probeServer(openai, "/models");
    if (status !== 200 && ![404, 405, 501].includes(status)) return toRefusal(checked, status, body);
    if (openai.azure !== undefined && status === 200) return isThere(openai);
    const listed = status === 200 ? toNames(body) : undefined;
    // Some servers list no models, and a wrong URL fails for every route.
    if (listed === undefined) return await checkRoute(checked);
    if (listed.some((name) => name === openai.model || name === `${openai.model}:latest`))
      return { subject, ...toWindowFinding(settings, body) };
    return toUnlisted(checked, listed);
  } catch (error) {
    return toUnreachable(names, error);
  }
}

function isThere({ model }: OpenAiOptions): Finding {
  return { subject, isWell: true, text: `${model} is available` };
}

function toUnlisted({ openai: { model }, names }: Checked, listed: readonly string[]): Finding {
  const text = `the server does not list ${model}`;
  if (listed.length === 0)
    return {
      subject,
      isWell: false,
      text: "the server has no models",
      fix: `install one, for example \`ollama pull ${model}\``,
    };
  const more = listed.length > maxShown ? ", …" : "";
  return {
    subject,
    isWell: false,
    text,
    fix: `set ${names.model} to one of: ${listed.slice(0, maxShown).join(", ")}${more}`,
  };
}

/**
 * Requests a reply to no messages: every server refuses that, after checking the URL, the key and the model.
 */
async function checkRoute(checked: Checked): Promise<Finding> {
  const { openai } = checked;
  const { status, body } = await probeServer(openai, "/chat/completions", {
    model: openai.model,
    messages: [],
    max_tokens: 1,
  });
  const isRoute = status === 400 || status === 422 || (status === 200 && /"choices"/.test(body));
  if (!isRoute || toModelFailure(status, body).code === "model_not_found")
    return toRefusal(checked, status, body);
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

function toRefusal(checked: Checked, status: number, body: string): Finding {
  const { openai, names } = checked;
  const { code, message } = toModelFailure(status, body);
  const withFix = (fix: string): Finding => ({ subject, isWell: false, text: `${code}: ${message}`, fix });
  if (/plain HTTP request was sent to HTTPS/i.test(body))
    return withFix(`it speaks https: start ${names.place} with https://`);
  if (code === "model_unauthorized") return withFix(toKeyAdvice(checked));
  if (code === "model_no_credit")
    return withFix("the account has no credit: add some, or set another account's key");
  if (code === "model_not_found") return withFix(`set ${names.model} to one of the server's models`);
  if (code === "model_rate_limited") return withFix("wait and run this again, or request more quota");
  if (code === "model_unavailable")
    return withFix("the model server has a problem: check its log, then run this again");
  if (openai.azure !== undefined)
    return withFix(
      `check ${names.place} (https://<resource>.openai.azure.com), ${names.version}, and that ${names.model} is a deployment`,
    );
  const { origin, pathname } = new URL(openai.baseUrl ?? "https://api.openai.com/v1");
  const guess = /\/v1\/?$/.test(pathname) ? `${origin}/v1` : `${origin}${pathname.replace(/\/$/, "")}/v1`;
  return withFix(`${names.place} must be the API's root, without /chat/completions; try ${guess}`);
}

function toKeyAdvice({ openai: { azure, apiKey }, names: { key, place } }: Checked): string {
  if (azure !== undefined) return `check ${key}: it must belong to the resource at ${place}`;
  if (apiKey === undefined) return `the server requires a key: set ${key}`;
  return `check ${key}: it must be valid for the server at ${place}, and not expired`;
}

function toUnreachable({ place }: Names, error: unknown): Finding {
  const { words, known } = explainConnection(error, "the model server");
  if (known === undefined)
    return { subject, isWell: false, text: words, fix: `check ${place}, and that the server is running` };
  return {
    subject,
    isWell: false,
    text: `model_unavailable: ${known.text} (${words})`,
    fix: `check ${place}: ${known.advice}`,
  };
}
