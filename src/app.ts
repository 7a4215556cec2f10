/** Puts the server together: its parts, and every route. */
import cors from "@fastify/cors";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import { createAuthenticator, type AuthOptions } from "./auth/create-authenticator.ts";
import { registerAuthentication } from "./http/authentication.ts";
import { MessageAttachments } from "./files/message-attachments.ts";
import { fileRoutes } from "./files/routes.ts";
import { historyRoutes } from "./history/routes.ts";
import type { HostOptions } from "./http/edge/host-rules.ts";
import { exposedHeaders, refuseForeignPages, toOriginPatterns } from "./http/edge/origin-rules.ts";
import { Health } from "./http/health/health.ts";
import { healthRoutes } from "./http/health/routes.ts";
import type { Listeners } from "./http/edge/listeners.ts";
import { createHttpServer, type HttpServer } from "./http/http-server.ts";
import { refuseOtherMethods } from "./http/other-methods.ts";
import { Limits, type LimitOptions } from "./http/limits.ts";
import { ModelChoice, type ModelChoiceOptions } from "./http/model-choice.ts";
import { registerRoutes } from "./http/route.ts";
import { agUiRoutes } from "./wires/ag-ui/routes.ts";
import { forewordRoutes, type TurnServices } from "./wires/foreword/routes.ts";
import { openAiRoutes } from "./wires/openai-chat/routes.ts";
import { conversationRoutes } from "./wires/openai-responses/conversations/routes.ts";
import { responsesRoutes } from "./wires/openai-responses/routes.ts";
import { LastTurns } from "./wires/ui-message/last-turns.ts";
import { uiChatRoutes } from "./wires/ui-message/routes.ts";
import { usageRoutes } from "./usage/routes.ts";
import { createKnowledge, type KnowledgeOptions } from "./knowledge/create-knowledge.ts";
import { knowledgeRoutes } from "./knowledge/routes.ts";
import type { OnDisconnect } from "./live/live-turn.ts";
import { LiveTurns } from "./live/live-turns.ts";
import { createGrounding } from "./grounding/create-grounding.ts";
import type { EmbeddingSettings } from "./grounding/embeddings/settings.ts";
import type { WebSearchSettings } from "./grounding/web/settings.ts";
import { createModels, createTitleModel, type ModelServices } from "./model/create-models.ts";
import { toFallbacks, toModelPrices } from "./model/model-prices.ts";
import type { ModelOptions } from "./model/settings.ts";
import { createPage, type PageOptions } from "./page/create-page.ts";
import type { Page } from "./page/page.ts";
import { pageRoutes, toPageServices } from "./page/routes.ts";
import { ApiDocs, docsRoutes } from "./openapi/routes.ts";
import type { OpenStore, StoreOptions, StoreRows } from "./store/open-store.ts";
import { countUsage } from "./store/usage/usage-writes.ts";
import { startRetention } from "./history/retention.ts";
import { PathRows } from "./history/path-rows.ts";
import { ConversationRows } from "./history/rows.ts";
import { ConversationTitles, type ConversationTitlesOptions } from "./titles/conversation-titles.ts";
import { StoredTitles } from "./titles/title-rows.ts";
import { UsageRows } from "./usage/rows.ts";
import type { ToolLimits } from "./turn/steps/tool-steps.ts";
import type { ToolServersOptions } from "./tools/settings.ts";
import { createToolServers } from "./tools/create-tool-servers.ts";
import type { McpToolServers } from "./tools/tool-servers.ts";
import { BackgroundCounter, type BackgroundUsage } from "./turn/background/background-usage.ts";
import type { ServerState } from "./observe/metrics/server-metrics.ts";
import { Pricing, type Prices } from "./turn/budget/prices.ts";
import type { Observer } from "./turn/observer.ts";
import type { Models } from "./turn/ports.ts";

/** The settings of a server. */
export interface AppOptions {
  readonly model: ModelOptions;
  readonly store: StoreOptions;
  readonly auth: AuthOptions;
  /** The chat page at `/`; `undefined` turns it off. */
  readonly page: PageOptions | undefined;
  /** Conversations without a message for this many days are deleted; `undefined` keeps all. */
  readonly retentionDays: number | undefined;
  readonly onDisconnect: OnDisconnect;
  /** Whether typed wires carry the model's reasoning. */
  readonly showsReasoning: boolean;
  /** The host names that requests may use; `undefined` allows every name. */
  readonly hosts: HostOptions | undefined;
  /** The origins whose pages may read responses, like `http://localhost:3000` or `https://*.example.com`. */
  readonly corsOrigins: readonly string[];
  /** Addresses and ranges of proxies whose forwarding headers are trusted. */
  readonly trustedProxies: readonly string[];
  readonly limits: LimitOptions;
  /** The most images that a model is sent, stored ones included. */
  readonly maxContextImages: number;
  /** Prices by model name; other models have none. */
  readonly prices: Prices;
  readonly knowledge: KnowledgeOptions;
  /** The server of embeddings; `undefined` if documents are found by their words alone. */
  readonly embeddings: EmbeddingSettings | undefined;
  readonly toolLimits: ToolLimits;
  /** The servers whose tools turns may use; `undefined` if there are none. */
  readonly toolServers: ToolServersOptions | undefined;
  /** The search engine of the web search; `undefined` if there is none. */
  readonly webSearch: WebSearchSettings | undefined;
  /** Whether questions and answers are logged. */
  readonly logsContent: boolean;
}

/** The services of a server besides its store. Its observer is told of all that happens beyond responses. */
export interface AppServices extends ModelServices {
  readonly logger: FastifyBaseLogger;
}

/** All routes of a server, in the order of its OpenAPI document. */
export const routeGroups = [
  forewordRoutes,
  historyRoutes,
  fileRoutes,
  knowledgeRoutes,
  usageRoutes,
  uiChatRoutes,
  openAiRoutes,
  responsesRoutes,
  agUiRoutes,
  conversationRoutes,
  healthRoutes,
  pageRoutes,
  docsRoutes,
] as const;

/** A server that does not listen yet. */
export interface App {
  readonly http: FastifyInstance;
  readonly listeners: Listeners;
  readonly store: OpenStore;
  /** The tools of other servers; `undefined` if none are configured. */
  readonly tools: McpToolServers | undefined;
  /** The chat page; `undefined` if it is turned off. */
  readonly page: Page | undefined;
  /** Resolves with its state, as it is now. */
  readonly readState: () => Promise<ServerState>;
  /** Takes no new turns, gives the running ones `drainMs` to finish, then closes everything. */
  close(drainMs: number): Promise<void>;
}

/** Creates a server on `store`, which it closes at its end. */
export async function createApp(
  options: AppOptions,
  store: OpenStore,
  { logger, ...services }: AppServices,
): Promise<App> {
  const { clock, observe } = services;
  const { rows } = store;
  const counters = rows && new UsageRows(rows.database);
  const retention = startRetention(options.retentionDays, rows, clock, observe);
  const { models, fallbacks } = await createModels(options.model, services);
  const settings = options.model.type === "demo" ? [] : options.model.models;
  const prices = toModelPrices(settings, options.prices);
  const tools = options.toolServers && (await createToolServers(options.toolServers, clock, observe));
  const knowledge = await createKnowledge(options, store, clock, observe);
  const grounding = await createGrounding(options.webSearch, knowledge, clock, observe);
  const attachments = createAttachments(options, store, observe);
  const pricing = prices.size === 0 ? undefined : new Pricing(prices, toFallbacks(settings));
  const countBackground = rows && (async (used: BackgroundUsage) => await countUsage(rows.database, used));
  const counter = new BackgroundCounter({ countBackground, pricing, clock });
  const titles = await createTitles(options.model, models, rows, { counter, ...services });
  const live = new LiveTurns({
    models,
    pricing,
    titles,
    store: store.turns,
    records: store.records,
    attachments,
    ...toTurnSettings(options),
    tools,
    grounding,
    counter,
    ...services,
  });

  const { app: http, listeners } = await createHttp(options, rows !== undefined, { clock, logger, observe });
  registerAuthentication(http, await createAuthenticator(options.auth, clock));
  const limits = new Limits(options.limits, counters, clock);
  limits.register(http);
  const health = new Health({ live, store, models: fallbacks });
  const choice = new ModelChoice({ models, ...toChoice(options.model) });
  const turns = { models, choice, live, limits, attachments, clock };
  const history = rows && new ConversationRows(rows);
  const stored = rows && history && { history, paths: new PathRows(rows, clock) };
  registerWires(http, turns, stored);
  registerRoutes(http, historyRoutes, { history, live });
  registerRoutes(http, fileRoutes, { files: store.attachments, rows });
  registerRoutes(http, knowledgeRoutes, { knowledge });
  registerRoutes(http, usageRoutes, { counters, clock, limits: options.limits, prices });
  registerRoutes(http, healthRoutes, { health });
  const page = registerPages(http, options, { model: models.default.name, knowledge });

  const close = async (drainMs: number): Promise<void> => {
    const startMs = clock.monotonicMs();
    await live.drain(drainMs);
    await titles?.close(drainMs - (clock.monotonicMs() - startMs));
    await Promise.all([http.close(), listeners.close()]);
    for (const part of [health, retention]) part?.close();
    await Promise.all([models.close(), tools?.close(), grounding?.close(), knowledge?.close()]);
    await store.close();
  };
  return { http, listeners, store, tools, page, readState: async () => await findState(live, store), close };
}

async function findState(live: LiveTurns, store: OpenStore): Promise<ServerState> {
  const { database, journal, bus } = store;
  const { size: running, followers } = live;
  const queue = journal && { ...journal, bytes: await store.findJournalBytes() };
  return { running, followers, pool: database?.pool, journal: queue, bus };
}

/** The rows of chats that are stored. */
interface StoredChats {
  readonly history: ConversationRows;
  readonly paths: PathRows;
}

/** Registers the routes of all wires. */
function registerWires(http: FastifyInstance, turns: TurnServices, stored: StoredChats | undefined): void {
  const { live, clock } = turns;
  const { history, paths } = stored ?? {};
  registerRoutes(http, forewordRoutes, turns);
  registerRoutes(http, uiChatRoutes, { ...turns, chats: new LastTurns(live, clock), history });
  registerRoutes(http, openAiRoutes, { ...turns, createdAt: clock.now() });
  registerRoutes(http, responsesRoutes, { ...turns, paths });
  registerRoutes(http, conversationRoutes, { stored, ...turns });
  registerRoutes(http, agUiRoutes, { ...turns, history });
}

/** Registers the chat page, which is returned, and the API docs. */
function registerPages(
  http: FastifyInstance,
  options: AppOptions,
  { model, knowledge }: { readonly model: string; readonly knowledge: object | undefined },
): Page | undefined {
  const auth = options.auth.type;
  const page = createPage({ ...options, knowledge });
  registerRoutes(http, pageRoutes, toPageServices(page, auth));
  const docs = new ApiDocs({ auth, model, groups: routeGroups, hasChatPage: page !== undefined });
  registerRoutes(http, docsRoutes, { docs });
  return page;
}

function toTurnSettings({ onDisconnect, showsReasoning, toolLimits, store }: AppOptions) {
  const readsSummaries = store.type !== "none" && store.readsSummaries;
  return { onDisconnect, showsReasoning, toolLimits, readsSummaries };
}

/** Returns the server without its routes. */
async function createHttp(
  options: AppOptions,
  keepsChats: boolean,
  { clock, logger, observe }: AppServices,
): Promise<HttpServer> {
  const { app: http, listeners } = createHttpServer({
    logger,
    clock,
    observe,
    trustedProxies: options.trustedProxies,
    hosts: options.hosts,
    bodies: { ...options.limits, maxDocumentBytes: options.knowledge.maxDocumentBytes, keepsChats },
    maxConnections: options.limits.maxConnections,
  });
  // A client may close its own direction and still read. That looks like a client that has left, so it only
  // gets its reply if leaving does not end the turn.
  if (options.onDisconnect === "continue") Object.assign(http.server, { httpAllowHalfOpen: true });
  await http.register(cors, {
    origin: toOriginPatterns(options.corsOrigins),
    exposedHeaders,
    methods: ["GET", "HEAD", "POST", "PATCH", "DELETE"],
    maxAge: 600,
    strictPreflight: false,
  });
  // If every request carries a credential, CORS alone keeps foreign pages out.
  if (options.auth.type === "none") refuseForeignPages(http, options.corsOrigins);
  refuseOtherMethods(http);
  return { app: http, listeners };
}

function createAttachments(
  { maxContextImages, limits }: AppOptions,
  { attachments: rows }: OpenStore,
  observe: Observer,
): MessageAttachments | undefined {
  if (rows === undefined) return undefined;
  const loaded = { maxImages: maxContextImages, maxBytes: limits.maxBodyBytes };
  return new MessageAttachments({ rows, limits: loaded, observe });
}

/** Resolves with the titles by a model; `undefined` if there is no model for them, or no conversation. */
async function createTitles(
  options: ModelOptions,
  models: Models,
  rows: StoreRows | undefined,
  services: Pick<ConversationTitlesOptions, "counter"> & ModelServices,
): Promise<ConversationTitles | undefined> {
  const model = rows && (await createTitleModel(options, models, services));
  return model && new ConversationTitles({ model, rows: new StoredTitles(rows.database), ...services });
}

/** Returns the access to models that are not open to all, and whether clients choose their models. */
function toChoice(options: ModelOptions): Omit<ModelChoiceOptions, "models"> {
  if (options.type === "demo") return {};
  const restricted = options.models.filter(({ users, keys }) => users !== undefined || keys !== undefined);
  const access = new Map(restricted.map(({ name, users, keys }) => [name, { users, keys }]));
  return { access, readsField: options.file !== undefined };
}
