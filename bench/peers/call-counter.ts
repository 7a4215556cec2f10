/** Counts calls to the embedded database: preloaded into a server, it reports to the parent on request. */
import { isMainThread, Worker } from "node:worker_threads";
import { z } from "zod";

const Call = z.object({ name: z.string() });
/** Calls that are made together; older checkouts send each alone. */
const Message = z.union([z.object({ calls: z.array(Call) }), Call.transform((call) => ({ calls: [call] }))]);

if (isMainThread) {
  const calls: Record<string, number> = {};
  const original: unknown = Reflect.get(Worker.prototype, "postMessage");
  if (typeof original !== "function") throw new TypeError("workers take no messages");
  Worker.prototype.postMessage = function postMessage(...rest): void {
    const message = Message.safeParse(rest[0]);
    for (const { name } of message.data?.calls ?? []) calls[name] = (calls[name] ?? 0) + 1;
    Reflect.apply(original, this, rest);
  };
  process.on("message", () => process.send?.(calls));
  process.channel?.unref();
}
