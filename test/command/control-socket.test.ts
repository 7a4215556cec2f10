/** The socket by which commands reach the running server. */
import assert from "node:assert/strict";
import { mkdir, readdir, stat } from "node:fs/promises";
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

  test("fails to open in a folder that is none, with the system's error", async (context) => {
    const dataDir = await makeTestFolder(context);
    await mkdir(join(dataDir, "control.sock"));
    await assert.rejects(open(dataDir, 1), /EISDIR|EEXIST|ENOTEMPTY/);
    assert.deepEqual(await readdir(dataDir), ["control.sock"]);
  });
});
