/** Readers that read nothing cost no memory but the log, do not slow others, and are cut off in the end. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ManualClock } from "../support/manual-clock.ts";
import { type ScriptedCall } from "../support/model/scripted-model.ts";
import { openTurn, readResponse } from "../support/apps/start-app.ts";
import { boundary } from "./database-bench.ts";
import { Measurement } from "./paused-readers.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";

const run = promisify(execFile);
const program = fileURLToPath(new URL("paused-readers.ts", import.meta.url));
const count = 200;
/** The gap that a busy machine causes anyway. */
const noiseMs = 50;

/**
 * In a separate network, sockets buffer little unread data. If the system forbids that, they buffer the whole
 * reply, and the server less: the figures say how much they held.
 */
const inSmallNetwork = `
  ip link set lo up &&
  echo 4096 16384 65536 > /proc/sys/net/ipv4/tcp_wmem && echo 4096 16384 65536 > /proc/sys/net/ipv4/tcp_rmem &&
  exec "$0" "$@"`;

/** Resolves with a command that runs another in such a network, or unchanged if that is impossible. */
async function findNetwork(): Promise<readonly string[]> {
  const args = ["-rn", "sh", "-c", inSmallNetwork];
  try {
    await run("unshare", [...args, "true"]);
    return ["unshare", ...args];
  } catch {
    return ["env"];
  }
}

describe(`${count} readers that read nothing`, { timeout: 120_000 }, () => {
  let network: readonly string[];
  before(async () => {
    network = await findNetwork();
  });

  async function measure(kind: string, mode: string): Promise<Measurement> {
    const [command = "", ...args] = network;
    const { stdout } = await run(command, [...args, process.execPath, program, kind, `${count}`, mode]);
    return Measurement.parse(JSON.parse(stdout));
  }

  for (const [kind, name] of [
    ["turns", "of a turn of 2 MiB each"],
    ["readers", "of one turn of 2 MiB"],
  ] as const) {
    test(`${name} cost the server less than 1 MiB each beyond the logs, and hardly delay others`, async (t) => {
      const paused = await measure(kind, "paused");
      const left = await measure(kind, "left");
      const growthKib = (paused.rssBytes - left.rssBytes) / count / 1024;
      const ratio = paused.gapP99Ms / left.gapP99Ms;
      t.diagnostic(
        `figure: ${count} paused readers ${name}: RSS growth per reader ${Math.round(growthKib)} KiB ` +
          `(${Math.round(paused.kernelBytes / 1024)} KiB more in the system's sockets); p99 gap of a healthy stream ` +
          `${paused.gapP99Ms.toFixed(1)} ms, without them ${left.gapP99Ms.toFixed(1)} ms: ratio ${ratio.toFixed(2)}`,
      );
      assert.ok(growthKib < 1024, `${growthKib} KiB`);
      assert.ok(paused.gapP99Ms < 3 * Math.max(left.gapP99Ms, noiseMs), `${paused.gapP99Ms} ms`);
    });
  }
});

describe("a follower", () => {
  const piece = "x".repeat(16 * 1024);
  const clock = new ManualClock();
  const model = useModel();
  const app = useApp(model, { ON_DISCONNECT: "continue" }, { clock });

  /** Starts a turn whose follower reads nothing more from the server. */
  async function openStalled(): Promise<{ call: ScriptedCall; response: IncomingMessage; socket: Socket }> {
    const connection = once(app.app.http.server, "connection");
    const { call, opening } = await openTurn(app, model);
    call.text(`- a${boundary}Seen.`);
    const response = await opening;
    const [socket]: Socket[] = await connection;
    assert.ok(socket);
    socket.cork();
    say(call);
    await clock.timer(30_000);
    return { call, response, socket };
  }

  function say(call: ScriptedCall): void {
    for (let sent = 0; sent < 20; sent += 1) call.text(piece);
  }

  test("that reads nothing for 30 s is cut off, and may resume at the exact byte", async () => {
    const { call, response, socket } = await openStalled();
    const reading = readResponse(response);
    clock.advance(29_999);
    assert.equal(socket.destroyed, false);
    clock.advance(1);
    const { body, isComplete } = await reading;
    assert.equal(isComplete, false);
    assert.equal(body, `- a${boundary}Seen.`);
    const position = Buffer.byteLength(body);
    const resuming = app.get(`/turns/${String(response.headers["x-turn-id"])}/stream?after=${position}`);
    call.text(" End.").finish();
    const rest = await resuming;
    assert.deepEqual([rest.isComplete, rest.body === `${piece.repeat(20)} End.`], [true, true]);
  });

  test("that reads something every 30 s is never cut off", async () => {
    const { call, response, socket } = await openStalled();
    const reading = readResponse(response);
    for (let round = 0; round < 4; round += 1) {
      clock.advance(29_000);
      const drained = once(socket, "drain");
      socket.uncork();
      await drained;
      socket.cork();
      say(call);
      await clock.timer(30_000);
    }
    assert.equal(socket.destroyed, false);
    socket.uncork();
    call.text(" End.").finish();
    const { body, isComplete } = await reading;
    assert.deepEqual([isComplete, body === `- a${boundary}Seen.${piece.repeat(100)} End.`], [true, true]);
  });
});
