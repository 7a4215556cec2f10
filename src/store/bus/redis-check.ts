/** Asks a Redis or Valkey whether it can carry the bus. */
import { systemClock } from "../../base/clock.ts";
import { withDeadline } from "../../base/deadline.ts";
import { connectRedis, type RedisOptions } from "./redis-client.ts";

const deadlineMs = 5_000;

/** The facts about a server. */
export interface RedisFacts {
  /** Its name and version, like `Redis 7.0.15`. */
  readonly version: string;
  /** Which keys it removes when its memory is full; `undefined` if it does not tell. */
  readonly evictionPolicy: string | undefined;
}

/** Resolves with the facts; rejects with the reason why the server cannot be used. */
export async function inspectRedis(options: RedisOptions): Promise<RedisFacts> {
  const redis = connectRedis(options);
  const failed = Promise.withResolvers<never>();
  redis.on("error", (error) => failed.reject(error));
  const ready = new Promise<void>((resolve) => redis.once("ready", () => resolve()));
  try {
    await withDeadline(systemClock, Promise.race([ready, failed.promise]), deadlineMs);
    // Where there is no such database, the client uses database 0, and its commands succeed.
    const { db = 0 } = redis.options;
    if (db > 0) await redis.select(db);
    // A stream, as the bus writes it: a user may be forbidden these commands.
    const key = "fw:doctor";
    await redis.xadd(key, "MAXLEN", "~", 1, "*", "from", "doctor");
    await redis.expire(key, 1);
    const info = await redis.info().catch(() => "");
    const read = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1];
    const valkey = read("valkey_version");
    const version = valkey === undefined ? `Redis ${read("redis_version") ?? ""}` : `Valkey ${valkey}`;
    return { version: version.trim(), evictionPolicy: read("maxmemory_policy") };
  } finally {
    redis.disconnect();
  }
}
