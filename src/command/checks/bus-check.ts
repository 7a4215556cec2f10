/** Checks what carries news between servers: Redis, or the notifications of Postgres. */
import type { AppOptions } from "../../app.ts";
import { systemClock } from "../../base/clock.ts";
import { toPrintable } from "../../observe/printable.ts";
import type { Finding } from "../finding.ts";
import { explainConnection } from "./connection-advice.ts";

type Store = Exclude<AppOptions["store"], { readonly type: "none" }>;

/** Resolves with the finding; with none if nothing could carry it, or if another check tells why not. */
export async function checkBus(store: AppOptions["store"]): Promise<readonly Finding[]> {
  if (store.type === "none") return [];
  if (store.redis !== undefined) return [await checkRedis(store.redis)];
  return store.type === "postgres" ? await checkWakeUps(store) : [];
}

async function checkRedis(options: NonNullable<Store["redis"]>): Promise<Finding> {
  const subject = "Redis";
  const { inspectRedis } = await import("../../store/bus/redis-check.ts");
  try {
    const { version, evictionPolicy } = await inspectRedis(options);
    const text = `${version} takes streams; maxmemory-policy ${evictionPolicy ?? "is not told"}`;
    if (evictionPolicy === undefined || /^(?:noeviction|volatile-\w+)$/.test(evictionPolicy))
      return { subject, isWell: true, text };
    const fix = "set maxmemory-policy to noeviction or volatile-ttl, so that no live reply is removed";
    return { subject, isWell: true, isWarning: true, text, fix };
  } catch (error) {
    const { words, known } = explainConnection(error, "Redis");
    const text = toPrintable(known === undefined ? words : `${known.text} (${words})`);
    return { subject, isWell: false, text, fix: `REDIS_URL: ${known?.advice ?? "correct it"}` };
  }
}

async function checkWakeUps(store: Store & { readonly type: "postgres" }): Promise<readonly Finding[]> {
  const subject = "wake-ups";
  if (store.postgres.wakeUps !== true)
    return [{ subject, isWell: true, text: "off: DATABASE_WAKE_UPS is false" }];
  const { findWhetherWoken, wakeUpAdvice } =
    await import("../../store/database/postgres/postgres-wake-ups.ts");
  const isWoken = await findWhetherWoken(store.postgres, systemClock).catch(() => undefined);
  if (isWoken === undefined) return [];
  if (isWoken) return [{ subject, isWell: true, text: "on: notifications of the database arrive" }];
  const text = "off: notifications of the database do not arrive, as behind a pooler in transaction mode";
  return [{ subject, isWell: true, isWarning: true, text, fix: wakeUpAdvice }];
}
