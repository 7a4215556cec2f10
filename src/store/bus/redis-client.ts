/** Connections to Redis or Valkey that give up soon: a frozen server costs no memory, and delays nothing. */
import { Redis, type RedisOptions as ClientOptions } from "ioredis";

/** How to reach Redis. */
export interface RedisOptions {
  /** `redis://` or `rediss://`, with user, password and the number of the database. */
  readonly url: string;
}

/** Why a connection is lost, if nothing else is known: the client tells of its own settings instead. */
export const closedReason = "the connection was closed";

/** How long a command may take, in milliseconds. */
const commandTimeoutMs = 500;
/** How long a connection that owes a response may be silent. */
const silenceMs = 1_000;
const connectTimeoutMs = 5_000;
/** The longest delay before a new connection, in milliseconds. */
const maxReconnectMs = 2_000;

/**
 * Connects, and connects again until it is disconnected.
 * @param blockMs how long its commands may block on purpose, in milliseconds.
 */
export function connectRedis({ url }: RedisOptions, blockMs = 0): Redis {
  return new Redis(url, {
    // Nothing waits for a connection, and nothing is sent twice: the texts are in the turns' logs.
    enableOfflineQueue: false,
    commandTimeout: commandTimeoutMs + blockMs,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // Ends a connection to a frozen server, with all that waits for it.
    socketTimeout: silenceMs + blockMs,
    connectTimeout: connectTimeoutMs,
    retryStrategy: (attempt) => Math.min(maxReconnectMs, 25 * 2 ** Math.min(attempt, 10)),
    connectionName: "foreword",
    protocol: 2, // which proxies and older servers speak as well
  } satisfies ClientOptions);
}
