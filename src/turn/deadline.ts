/** Deadlines that read data which has already arrived before they expire. */
import type { Clock, Timer } from "./ports.ts";

/**
 * Calls `callback` once after `delayMs`, when the event loop has handed over everything that had arrived by then. A process that stood
 * still (suspended, stopped, starved) runs its timers before it reads its sockets: what came meanwhile may still refresh or
 * cancel this one.
 */
export function afterReading(clock: Clock, delayMs: number, callback: () => void): Timer {
  let reading: NodeJS.Immediate | undefined;
  // Two passes: what the first reads may need another to be taken in (TLS, fetch).
  const timer = clock.after(delayMs, () => {
    reading = setImmediate(() => {
      reading = setImmediate(callback);
    });
  });
  return {
    refresh: () => {
      clearImmediate(reading);
      timer.refresh();
    },
    cancel: () => {
      clearImmediate(reading);
      timer.cancel();
    },
  };
}
