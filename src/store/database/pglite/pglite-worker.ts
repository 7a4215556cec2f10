/** The thread that runs PGlite: each statement would block the main thread. */
import { parentPort, workerData } from "node:worker_threads";
import { PgliteSession, toSessionFailure } from "./pglite-session.ts";
import type { WorkerData, WorkerReply, WorkerRequest } from "./pglite.ts";

const { folder, tables }: WorkerData = workerData;

function tell(reply: WorkerReply): void {
  parentPort?.postMessage(reply);
}

try {
  const session = await PgliteSession.open({ folder, tables });
  parentPort?.on("message", (message: WorkerRequest) => {
    if (message === "close") {
      void session.close().finally(() => parentPort?.close());
      return;
    }
    const { id, name, argument } = message;
    session.call(name, argument).then(
      (result) => tell({ type: "result", id, result }),
      (error: unknown) => tell({ type: "failure", id, ...toSessionFailure(error) }),
    );
  });
  tell({ type: "ready" });
} catch (error) {
  tell({ type: "broken", ...toSessionFailure(error) });
}
