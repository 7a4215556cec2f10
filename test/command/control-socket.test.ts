/** The socket by which commands reach the running server. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readdir, stat } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ControlClient, ControlError } from "../../src/command/control/control-client.ts";
import { ControlSocket } from "../../src/command/control/control-socket.ts";
import { Metrics, type MetricsSnapshot } from "../../src/observe/metrics/metrics.ts";
import { makeTestFolder } from "../support/apps/use-app.ts";

const { signal } = new AbortController();

function toSnapshot(workers: number): MetricsSnapshot {
  const metrics = new Metrics();
  metrics.set("foreword_workers", {}, workers);
  return metrics.toSnapshot();
}

async function open(dataDir: string, workers: number): Promise<ControlSocket> {
  const readMetrics = async (): Promise<MetricsSnapshot> => toSnapshot(workers);
  return await ControlSocket.open({ dataDir, readMetrics, copying: undefined });
}

/** Connects, and sends `text`. */
async function send(dataDir: string, text: string): Promise<Socket> {
  const socket = connect(join(dataDir, "control.sock"));
  await once(socket, "connect");
  socket.on("error", () => {}).write(text);
  return socket;
}

/** Resolves with the metrics of the server of `dataDir`. */
async function ask(dataDir: string): Promise<unknown> {
  const client = await ControlClient.connect(dataDir);
  return await client?.request("metrics", signal).finally(() => client.close());
}

describe("the control socket", { timeout: 30_000 }, () => {
  test("is its user's alone, works in a folder whose path is too long for sockets, and is gone with its server", async (context) => {
    const dataDir = join(await makeTestFolder(context), "a".repeat(90), "b".repeat(90));
    const socket = await open(dataDir, 1);
    assert.deepEqual(await readdir(dataDir), ["control.sock"]);
    assert.equal((await stat(join(dataDir, "control.sock"))).mode & 0o777, 0o600);
    assert.deepEqual(await ask(dataDir), toSnapshot(1));
    await socket.close();
    assert.deepEqual(await readdir(dataDir), []);
    assert.equal(await ControlClient.connect(dataDir), undefined);
  });

  test("belongs to the newest server of a folder, and outlives the end of an older one", async (context) => {
    const dataDir = await makeTestFolder(context);
    const [older, newer] = [await open(dataDir, 1), await open(dataDir, 2)];
    assert.deepEqual(await ask(dataDir), toSnapshot(2));
    await older.close();
    assert.deepEqual(await ask(dataDir), toSnapshot(2));
    await newer.close();
    assert.equal(await ask(dataDir), undefined);
  });

  test("refuses what the server does not know or have, one request after the other, and stops on demand", async (context) => {
    const dataDir = await makeTestFolder(context);
    const socket = await open(dataDir, 1);
    const client = (await ControlClient.connect(dataDir)) ?? assert.fail();
    const isRefused = (error: unknown): boolean =>
      error instanceof ControlError && error.message === "the server has no embedded database";
    await assert.rejects(client.request("copy-start", signal), isRefused);
    assert.deepEqual(await client.request("metrics", signal), toSnapshot(1));
    const stopping = new AbortController();
    const asked = client.request("metrics", stopping.signal);
    stopping.abort(new Error("stopped"));
    await assert.rejects(asked, /^Error: stopped$/);
    client.close();
    await socket.close();
  });

  test("ends a connection whose request is too long, or no text", async (context) => {
    const dataDir = await makeTestFolder(context);
    const socket = await open(dataDir, 1);
    for (const text of ["x".repeat(1_000_000), `${"x".repeat(101)}\nmetrics\n`, "\0".repeat(1_000)]) {
      const connection = await send(dataDir, text);
      const received = await connection
        .resume()
        .setEncoding("utf8")
        .toArray()
        .catch(() => []);
      assert.deepEqual(received, []);
    }
    assert.deepEqual(await ask(dataDir), toSnapshot(1));
    await socket.close();
  });

  test("holds no more for a command that does not read than its connection does, and loses nothing", async (context) => {
    const dataDir = await makeTestFolder(context);
    const asked = { count: 0 };
    const readMetrics = async (): Promise<MetricsSnapshot> => {
      asked.count += 1;
      return toSnapshot(1);
    };
    const socket = await ControlSocket.open({ dataDir, readMetrics, copying: undefined });
    const count = 20_000;
    const connection = await send(dataDir, "metrics\n".repeat(count));
    for (let before = 0; asked.count < 100 || asked.count !== before + 1; await ask(dataDir))
      before = asked.count;
    assert.ok(asked.count < count, `${asked.count}`);
    let received = 0;
    for await (const text of connection.setEncoding("utf8")) {
      received += String(text).split("\n").length - 1;
      if (received === count) break;
    }
    await socket.close();
  });

  test("fails to open in a folder that is none, with the system's error", async (context) => {
    const dataDir = await makeTestFolder(context);
    await mkdir(join(dataDir, "control.sock"));
    await assert.rejects(open(dataDir, 1), /EISDIR|EEXIST|ENOTEMPTY/);
    assert.deepEqual(await readdir(dataDir), ["control.sock"]);
  });
});
