/** Owns what is printed when the server starts: where it listens, which model, which store, what is off. */
import { isIP } from "node:net";
import type { AppOptions } from "../app.ts";
import type { AppError } from "../base/errors.ts";
import { isLoopback } from "../config/variables.ts";
import { migrateAdvice } from "../store/schema/schema-version.ts";

/** What the block tells. */
export interface StartBlockOptions {
  readonly version: string;
  readonly address: string;
  readonly workerCount: number;
  readonly app: AppOptions;
  /** What keeps the store from taking writes now. */
  readonly storeTrouble: AppError | undefined;
  /** `undefined` where there is no journal, or it cannot be used. */
  readonly journal: { readonly queued: number } | undefined;
}

/** Returns the block, ended by a line break. */
export function toStartBlock(options: StartBlockOptions): string {
  const { version, address, workerCount, app, storeTrouble, journal } = options;
  const rows = [
    ["listening", address],
    ...(workerCount === 1 ? [] : [["workers", `${workerCount} processes`]]),
    ["docs", `${toNear(address)}/docs`],
    ["model", describeModel(app.model)],
    ["store", describeStore(app.store)],
    ...(storeTrouble === undefined
      ? []
      : [
          ["", `AWAY: ${storeTrouble.code} (${storeTrouble.message})`],
          ["", toStoreAdvice(storeTrouble, journal !== undefined)],
        ]),
    ...describeJournal(app.store, journal).map((text) => ["journal", text]),
    ...(app.hosts === undefined ? [] : [["hosts", describeHosts(app.hosts)]]),
    ["origins", app.corsOrigins.join(" ") || "none: pages of other origins cannot read the answers"],
    ...describeOff(app).map((text, index) => [index === 0 ? "off" : "", text]),
    ...describeTry(app.auth, toNear(address)).map((text, index) => [index === 0 ? "try" : "", text]),
  ];
  const lines = rows.map(([label = "", text = ""]) => `  ${label.padEnd(10)} ${text}`);
  return `Foreword ${version}\n${lines.join("\n")}\n`;
}

function describeModel(model: AppOptions["model"]): string {
  if (model.type === "demo" && model.isForced) return "demo, built in, as DEMO_MODE is true";
  if (model.type === "demo")
    return "demo, built in (set OPENAI_API_KEY or OPENAI_BASE_URL, and OPENAI_MODEL, for a real one)";
  const { openai } = model;
  const place = openai.azure?.endpoint ?? openai.baseUrl ?? "https://api.openai.com/v1";
  return `${openai.model} at ${toHost(place)}${openai.temperature === undefined ? "" : `, temperature ${openai.temperature}`}`;
}

function describeStore(store: AppOptions["store"]): string {
  switch (store.type) {
    case "none":
      return "none: nothing is kept (CHAT_STORE_ENABLED=false)";
    case "postgres":
      return `Postgres at ${toHost(store.postgres.url)}`;
    case "supabase":
      return `Supabase at ${toHost(store.supabase.url)}${store.supabase.usesCallerToken ? ", with the anonymous key" : ""}`;
    case "embedded":
      return `embedded Postgres (PGlite) in ${store.dataDir}`;
  }
}

/** Nothing, where all is as it should be. */
function describeJournal(
  store: AppOptions["store"],
  journal: StartBlockOptions["journal"],
): readonly string[] {
  if (journal !== undefined)
    return journal.queued === 0 ? [] : [`${journal.queued} writes of an earlier run wait for the store`];
  if (store.type === "none" || (store.type === "supabase" && store.supabase.usesCallerToken)) return [];
  return [`AWAY: ${store.dataDir} cannot be used, the log says why; with the store away new turns get 503`];
}

function describeHosts({ host, allowedHosts }: AppOptions["hosts"] & object): string {
  const addresses = isLoopback(host) ? "loopback addresses" : "all addresses";
  const own = isIP(host) === 0 ? [host] : [];
  const names = Array.from(new Set(["localhost", addresses, ...own, ...allowedHosts]));
  return `${names.join(", ")}; requests with another Host get 421 (ALLOWED_HOSTS adds names)`;
}

function describeOff(app: AppOptions): readonly string[] {
  const off = app.auth.type === "none" ? ["authentication: whoever can reach this address can chat"] : [];
  if (app.store.type === "none") off.push("history");
  if (app.store.type === "supabase" && app.store.supabase.usesCallerToken) {
    off.push("reduced store: messages are stored only with their user's access token; no record of turns,");
    off.push("no recovery, no limits (set SUPABASE_SERVICE_ROLE_KEY for all of it)");
  }
  return off;
}

/** A request that works as it stands, once the token that it names is there. */
function describeTry(auth: AppOptions["auth"], address: string): readonly string[] {
  const headers = ["-H 'content-type: application/json'"];
  if (auth.type !== "none") headers.push('-H "authorization: Bearer $TOKEN"');
  const body = `-d '{"messages":[{"sender":"user","text":"Hello"}]}'`;
  const ask = `curl -N ${address}/stream-chat ${headers.join(" ")} ${body}`;
  switch (auth.type) {
    case "none":
      return [ask];
    case "keys":
      return [ask, "with one of API_KEYS as TOKEN: export TOKEN='…'"];
    case "supabase":
      return [ask, "with the access token of a signed-in user as TOKEN: export TOKEN='…'"];
  }
}

/** Returns an address that this machine can ask: those that stand for all of its addresses can only be listened on. */
function toNear(address: string): string {
  return address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}

function toStoreAdvice(trouble: AppError, hasJournal: boolean): string {
  const fate = hasJournal ? "replies go on and wait in the journal" : "replies go on but are not kept";
  if (trouble.advice !== undefined) return `${fate}; ${trouble.advice}`;
  if (trouble.code === "store_schema_missing" || trouble.code === "store_schema_mismatch")
    return `${fate}; ${migrateAdvice}`;
  return `${fate} until it is back; \`foreword doctor\` says more`;
}

/** A URL without its user, password and query, none of which belong on a screen. */
function toHost(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === "/" ? "" : pathname}`;
}
