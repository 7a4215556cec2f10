/** Checks whether servers of one Postgres can wake each other. */
import type { AppOptions } from "../../app.ts";
import { systemClock } from "../../base/clock.ts";
import type { Finding } from "../finding.ts";

/** Resolves with the finding; with none without a Postgres that is reached, which another check reports. */
export async function checkWakeUps(store: AppOptions["store"]): Promise<readonly Finding[]> {
  if (store.type !== "postgres") return [];
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
