/** Finds out whether traces are recorded, and loads OpenTelemetry's API only then. */
import type { Clock } from "../../base/clock.ts";
import type { Tracing } from "../../turn/tracing/tracing.ts";

/** Where the API, in any version 1, keeps the SDK that is registered. */
const registry = Symbol.for("opentelemetry.js.api.1");

/**
 * Resolves with the traces of the SDK that the process has registered with OpenTelemetry's API before, by
 * `--import`; `undefined` if there is none, and nothing is loaded.
 * @param warn told if there is one that cannot be used.
 */
export async function loadTracing(
  version: string,
  clock: Clock,
  warn: (sentence: string) => void,
): Promise<Tracing | undefined> {
  const registered: unknown = Reflect.get(globalThis, registry);
  if (typeof registered !== "object" || registered === null) return undefined;
  const provider: unknown = Reflect.get(registered, "trace");
  if (provider === undefined) return undefined;
  const [{ trace }, { OpenTelemetry }] = await Promise.all([
    import("@opentelemetry/api"),
    import("./open-telemetry.ts"),
  ]);
  if (trace.getTracerProvider() === provider) return new OpenTelemetry(version, clock);
  warn("traces are off: their SDK uses an older version of @opentelemetry/api than this server, 1.10");
  return undefined;
}
