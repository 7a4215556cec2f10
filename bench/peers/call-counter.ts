/** Counts calls to the embedded database: preloaded into a server, it reports to the parent on request. */
import { isMainThread, Worker } from "node:worker_threads";
import { z } from "zod";

const Call = z.object({ name: z.string() });

if (isMainThread) {
  const calls: Record<string, number> = {};
  const original: unknown = Reflect.get(Worker.prototype, "postMessage");
  if (typeof original !== "function") throw new TypeError("workers take no messages");
  Worker.prototype.postMessage = function postMessage(...rest): void {
    const call = Call.safeParse(rest[0]);
    if (call.success) calls[call.data.name] = (calls[call.data.name] ?? 0) + 1;
    Reflect.apply(original, this, rest);
  };
  process.on("message", () => process.send?.(calls));
  process.channel?.unref();
}
