/** The block printed when the server starts: its address, model and store, and the features that are off. */
import { isIP } from "node:net";
import type { AppOptions } from "../app.ts";
import type { AppError } from "../base/errors.ts";
import { isLoopback } from "../config/variables.ts";
import type { OpenAiOptions } from "../model/settings.ts";
import type { ToolServer } from "../tools/tool-server.ts";
import { migrateAdvice } from "../store/schema/schema-version.ts";

/** How many models are shown. */
const maxModels = 20;

/** The facts that the block shows. */
export interface StartBlockOptions {
  readonly version: string;
  readonly address: string;
  readonly workerCount: number;
  readonly app: AppOptions;
  /** The chat page; `undefined` if it is turned off. */
  readonly page: { readonly isBuilt: boolean } | undefined;
  /** The reason why the store takes no writes now. */
  readonly storeTrouble: AppError | undefined;
  /** `undefined` if there is no journal, or it cannot be used. */
  readonly journal: { readonly queued: number } | undefined;
  /** The servers of tools; `undefined` if none are configured. */
  readonly toolServers:
    | readonly Pick<ToolServer, "settings" | "list" | "isConnected" | "trouble">[]
    | undefined;
}

/** Returns the block, ended by a line break. */
export function toStartBlock(options: StartBlockOptions): string {
  const { version, address, workerCount, app, storeTrouble, journal, toolServers } = options;
  const rows = [
    ["listening", address],
    ...(workerCount === 1 ? [] : [["workers", `${workerCount} processes`]]),
    ...describePage(options).map((text) => ["page", text]),
    ["docs", `${toReachable(address)}/docs`],
    ...describeModels(app.model).map((text, index) => [index === 0 ? "model" : "", text]),
    ["store", describeStore(app.store)],
    ...(storeTrouble === undefined
      ? []
      : [
          ["", `UNAVAILABLE: ${storeTrouble.code} (${storeTrouble.message})`],
          ["", describeTrouble(storeTrouble, journal !== undefined)],
        ]),
    ...describeBus(app.store).map((text) => ["bus", text]),
    ...describeJournal(app.store, journal).map((text) => ["journal", text]),
    ...describeTools(app, toolServers).map((text, index) => [index === 0 ? "tools" : "", text]),
    ...(app.hosts === undefined ? [] : [["hosts", describeHosts(app.hosts)]]),
    ["origins", app.corsOrigins.join(" ") || "none: pages of other origins cannot read responses"],
    ...describeOff(app).map((text, index) => [index === 0 ? "off" : "", text]),
    ...describeTry(app.auth, toReachable(address)).map((text, index) => [index === 0 ? "try" : "", text]),
  ];
  const lines = rows.map(([label = "", text = ""]) => `  ${label.padEnd(10)} ${text}`);
  return `Foreword ${version}\n${lines.join("\n")}\n`;
}

/** Returns where people chat, or why they cannot. */
function describePage({ address, app, page }: StartBlockOptions): readonly string[] {
  if (page === undefined || app.auth.type === "keys") return [];
  if (!page.isBuilt) return ["NOT BUILT: run `npm ci` with its development dependencies"];
  if (app.auth.type === "supabase" && app.page?.supabaseKey === undefined)
    return ["OFF: to let it sign users in, set PAGE_SUPABASE_KEY to the project's publishable key"];
  return [`${toReachable(address)}/`];
}

/** Returns a line for each model, the default first. */
function describeModels(model: AppOptions["model"]): readonly string[] {
  if (model.type === "demo" && model.isForced) return ["built-in demo, because DEMO_MODE is true"];
  if (model.type === "demo")
    return ["built-in demo (for a real model set OPENAI_MODEL, and OPENAI_API_KEY or OPENAI_BASE_URL)"];
  const { file, models } = model;
  if (file === undefined) return models.map(({ openai }) => describeServer(openai));
  const lines = models.slice(0, maxModels).map((settings) => {
    const { name, openai, fallback, users, keys } = settings;
    const after = fallback.length === 0 ? "" : `, then ${fallback.join(", ")}`;
    const access = users === undefined && keys === undefined ? "" : ", for some callers";
    return `${name}: ${describeServer(openai)}${after}${access}`;
  });
  const more = models.length - lines.length;
  return [
    `${toCount(models.length, "model")} in ${file}`,
    ...lines,
    ...(more > 0 ? [`and ${more} more`] : []),
  ];
}

function describeServer(openai: OpenAiOptions): string {
  const place = openai.azure?.endpoint ?? openai.baseUrl ?? "https://api.openai.com/v1";
  return `${openai.model} at ${toHost(place)}${openai.temperature === undefined ? "" : `, temperature ${openai.temperature}`}`;
}

function describeStore(store: AppOptions["store"]): string {
  switch (store.type) {
    case "none":
      return "none: nothing is stored (CHAT_STORE_ENABLED=false)";
    case "postgres":
      return `Postgres at ${toHost(store.postgres.url)}`;
    case "supabase":
      return `Supabase at ${toHost(store.supabase.url)}${store.supabase.usesCallerToken ? ", with the anonymous key" : ""}`;
    case "embedded":
      return `embedded Postgres (PGlite) in ${store.dataDir}`;
  }
}

/** Returns where the bus beside the database is, if there is one. */
function describeBus(store: AppOptions["store"]): readonly string[] {
  return store.type === "none" || store.redis === undefined ? [] : [`Redis at ${toHost(store.redis.url)}`];
}

/** Returns nothing if the journal is empty. */
function describeJournal(
  store: AppOptions["store"],
  journal: StartBlockOptions["journal"],
): readonly string[] {
  if (journal !== undefined)
    return journal.queued === 0
      ? []
      : [`${journal.queued} writes of an earlier run are queued for the store`];
  if (store.type === "none" || (store.type === "supabase" && store.supabase.usesCallerToken)) return [];
  return [`OFF: cannot use ${store.dataDir} (see the log); while the database is down, new turns get 503`];
}

/** Returns the number of tools, and the servers that are not connected. */
function describeTools(
  { toolServers: options, store }: AppOptions,
  servers: StartBlockOptions["toolServers"] = [],
): readonly string[] {
  if (options === undefined) return [];
  const tools = servers.flatMap(({ list }) => list.usable);
  const askCount = tools.filter(({ tool }) => tool.needsApproval).length;
  const counts = `${toCount(tools.length, "tool")} of ${toCount(servers.length, "server")}`;
  const away = servers.filter(({ isConnected }) => !isConnected);
  const names = (isFailed: boolean): string =>
    away
      .filter(({ trouble }) => (trouble !== undefined) === isFailed)
      .map(({ settings }) => settings.name)
      .join(", ");
  const canWait = store.type !== "none" && !(store.type === "supabase" && store.supabase.usesCallerToken);
  const starting = names(false);
  const failed = names(true);
  return [
    `${counts} in ${options.file}; ${askCount} need approval`,
    ...(canWait || askCount === 0
      ? []
      : ["OFF: the tools that need approval, since turns cannot wait without a store"]),
    ...(starting === "" ? [] : [`STARTING: ${starting} (the log tells when it is connected)`]),
    ...(failed === "" ? [] : [`UNAVAILABLE: ${failed} (see the log, or \`foreword doctor\`)`]),
  ];
}

function toCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function describeHosts({ host, allowedHosts }: AppOptions["hosts"] & object): string {
  const addresses = isLoopback(host) ? "loopback addresses" : "all addresses";
  const own = isIP(host) === 0 ? [host] : [];
  const names = Array.from(new Set(["localhost", addresses, ...own, ...allowedHosts]));
  return `${names.join(", ")}; requests with any other Host get 421 (ALLOWED_HOSTS adds names)`;
}

function describeOff(app: AppOptions): readonly string[] {
  const off = app.auth.type === "none" ? ["authentication: anyone who can connect can chat"] : [];
  if (app.store.type === "none") off.push("history");
  if (app.store.type === "supabase" && app.store.supabase.usesCallerToken) {
    off.push("reduced store: messages are stored only with their user's access token; no turn records,");
    off.push("no recovery, no limits (set SUPABASE_SERVICE_ROLE_KEY for all features)");
  }
  return off;
}

/** Returns a request that works as printed, once its token is set. */
function describeTry(auth: AppOptions["auth"], address: string): readonly string[] {
  const headers = ["-H 'content-type: application/json'"];
  if (auth.type !== "none") headers.push('-H "authorization: Bearer $TOKEN"');
  const body = `-d '{"messages":[{"sender":"user","text":"Hello"}]}'`;
  const command = `curl -N ${address}/stream-chat ${headers.join(" ")} ${body}`;
  switch (auth.type) {
    case "none":
      return [command];
    case "keys":
      return [command, "first set TOKEN to one of API_KEYS: export TOKEN='…'"];
    case "supabase":
      return [command, "first set TOKEN to a signed-in user's access token: export TOKEN='…'"];
  }
}

/** Returns an address that this machine can connect to: it cannot connect to "all addresses". */
function toReachable(address: string): string {
  return address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}

function describeTrouble(trouble: AppError, hasJournal: boolean): string {
  const effect = hasJournal
    ? "replies continue and wait in the journal"
    : "replies continue but are not stored";
  if (trouble.advice !== undefined) return `${effect}; ${trouble.advice}`;
  if (trouble.code === "store_schema_missing" || trouble.code === "store_schema_mismatch")
    return `${effect}; ${migrateAdvice}`;
  return `${effect} until it is back; run \`foreword doctor\` for details`;
}

/** Returns a URL without its user, password and query, which must not be shown. */
function toHost(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === "/" ? "" : pathname}`;
}
