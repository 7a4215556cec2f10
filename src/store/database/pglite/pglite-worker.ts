/** The thread that runs PGlite: each statement would block the main thread. */
import { parentPort, workerData } from "node:worker_threads";
import { PgliteSession, toSessionFailure } from "./pglite-session.ts";
import type { WorkerData, WorkerReply, WorkerRequest } from "./worker-messages.ts";

const data: WorkerData = workerData;

function post(reply: WorkerReply): void {
  parentPort?.postMessage(reply);
}

try {
  const session = await PgliteSession.open(data);
  parentPort?.on("message", (message: WorkerRequest) => {
    if (message === "close") {
      void session.close().finally(() => parentPort?.close());
      return;
    }
    if ("copyStep" in message) {
      void session.takeCopyStep(message.copyStep).then((outcome) => post({ type: "copy-step", outcome }));
      return;
    }
    const { id, calls } = message;
    void session.run(calls).then((outcomes) => post({ type: "outcomes", id, outcomes }));
  });
  post({ type: "ready" });
} catch (error) {
  post({ type: "broken", ...toSessionFailure(error) });
}
