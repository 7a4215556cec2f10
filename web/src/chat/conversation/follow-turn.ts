/** Follows a turn to its end, however long the server cannot be reached. */
import { ForewordError, type StreamEvent, type Turn } from "../../base/foreword-client.ts";
import type { Network } from "../../base/network.ts";

/** A turn to follow. */
interface Following {
  /** Starts the turn, or resumes it after the last event that was taken. */
  readonly open: (signal: AbortSignal) => Turn;
  readonly take: (event: StreamEvent, turn: Turn) => void;
  readonly network: Network;
  readonly signal: AbortSignal;
}

/**
 * Resolves at the end of the turn, or when it waits for its user.
 * @throws ForewordError, unless it says that the connection was lost; the reason of the signal.
 */
export async function followTurn({ open, take, network, signal }: Following): Promise<void> {
  for (;;) {
    const attempt = new AbortController();
    const unsubscribe = retryOnceOnline(network, attempt);
    const turn = open(AbortSignal.any([signal, attempt.signal]));
    try {
      for await (const event of turn) take(event, turn);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (attempt.signal.aborted) continue;
      if (!(error instanceof ForewordError) || !isLost(error)) throw error;
      await network.waitToRetry(signal);
      signal.throwIfAborted();
    } finally {
      unsubscribe();
    }
  }
}

/** Whether the server was not reached, so that the same request may reach it later. */
function isLost({ code, status = 0 }: ForewordError): boolean {
  const isGateway = code === "http_error" && status >= 502 && status <= 504;
  return code === "connection_lost" || code === "server_stopping" || isGateway;
}

/** Ends an attempt when the network is back, since its next retry may be seconds away. */
function retryOnceOnline({ store }: Network, attempt: AbortController): () => void {
  let wasOffline = store.state === "offline";
  return store.subscribe(() => {
    if (wasOffline && store.state === "online") attempt.abort();
    wasOffline = store.state === "offline";
  });
}
