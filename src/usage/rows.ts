/** The rows of usage: per-minute requests, and the tokens of turns by day. */
import { z } from "zod";
import { toMoney, type Money } from "../base/money.ts";
import { parse } from "../base/parse.ts";
import type { RequestCounter, RequestGrant } from "../http/request-windows.ts";
import type { Caller } from "../base/caller.ts";
import { schemaVersion, service, type Database } from "../store/database/database.ts";

/** Usage of one model by the turns of one day. */
export interface ModelUsage {
  /** ISO 8601, in UTC. */
  readonly day: string;
  readonly model: string;
  readonly turns: number;
  /** Turns whose model did not report usage. */
  readonly estimatedTurns: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly cachedInputTokens: number;
  /** Calls of tools that the server ran, and their cost as far as they have a price. */
  readonly toolCalls: number;
  readonly toolCost: number;
  /** The cost of its tokens, as far as a price was known when they were used. */
  readonly cost: Money;
  /** The tokens whose cost that is, input and output; those before schema version 9 are not among them. */
  readonly pricedTokens: number;
}

/** The first schema version that tells the costs of keys. */
const keyCostVersion = 10;

const KeyCost = z.object({ cost: z.string() });
const GrantResult = z.object({ granted: z.number(), left: z.number(), resets_in_ms: z.number() });

const UsageRow = z
  .object({
    day: z.string(),
    model: z.string(),
    turns: z.number(),
    estimated_turns: z.number(),
    input_tokens: z.number(),
    output_tokens: z.number(),
    reasoning_tokens: z.number(),
    cached_input_tokens: z.number(),
    tool_calls: z.number(),
    tool_cost: z.number(),
    cost: z.number(),
    priced_tokens: z.number(),
  })
  .transform((row): ModelUsage => ({
    day: row.day,
    model: row.model,
    turns: row.turns,
    estimatedTurns: row.estimated_turns,
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    reasoningTokens: row.reasoning_tokens,
    cachedInputTokens: row.cached_input_tokens,
    toolCalls: row.tool_calls,
    toolCost: row.tool_cost,
    cost: toMoney(row.cost),
    pricedTokens: row.priced_tokens,
  }));

/** The rows of usage. Rejects as {@link Database.call} does. */
export class UsageRows implements RequestCounter {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async takeRequests(subject: string, wanted: number, max: number): Promise<RequestGrant> {
    const result = await this.#database.call("chat_take_requests", { subject, wanted, max }, service);
    const { granted, left, resets_in_ms: resetsInMs } = parse(GrantResult, result, "store_refused");
    return { granted, left, resetsInMs };
  }

  /**
   * Resolves with the cost of an API key's turns that began on `day`, with the reservations of running ones;
   * `undefined` for databases before schema version 10.
   */
  async readKeyCost(keyName: string, day: string): Promise<Money | undefined> {
    if ((this.#database.schemaVersion ?? schemaVersion) < keyCostVersion) return undefined;
    const result = await this.#database.call("chat_read_key_cost", { key_name: keyName, day }, service);
    return toMoney(parse(KeyCost, result, "store_refused").cost);
  }

  /** Resolves with the caller's usage between two days, both included, newest day first. */
  async listUsage(caller: Caller, from: string, to: string): Promise<readonly ModelUsage[]> {
    const result = await this.#database.call("chat_list_usage", { from, to }, caller);
    return parse(z.array(UsageRow), result, "store_refused");
  }
}
