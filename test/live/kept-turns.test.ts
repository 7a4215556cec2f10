/** The memory of a finished turn that only this process can show. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ScriptedModel } from "../support/model/scripted-model.ts";
import { startApp } from "../support/apps/start-app.ts";

const requestBytes = 500_000;
const requests = 60;

function collectGarbage(): number {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  assert.ok(typeof collect === "function");
  collect();
  return process.memoryUsage().heapUsed;
}

describe("a finished turn that the store does not have", () => {
  test("stays readable for a while, and keeps its text only, not its request", async (context) => {
    const model = await ScriptedModel.start();
    const app = await startApp({ OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" });
    const ask = async (): Promise<string> => {
      const answer = await app.chat("x".repeat(requestBytes), {});
      model.calls.length = 0; // the scripted model keeps its requests as well
      return String(answer.headers["x-turn-id"]);
    };
    for (let count = 0; count < 5; count += 1) await ask();
    const before = collectGarbage();
    let turnId = "";
    for (let count = 0; count < requests; count += 1) turnId = await ask();
    const growthBytes = (collectGarbage() - before) / requests;
    context.diagnostic(`figure: a kept turn takes ${Math.round(growthBytes / 1024)} KiB of heap`);
    assert.ok(growthBytes < requestBytes / 10, `${growthBytes} bytes a turn`);
    const again = await app.get(`/turns/${turnId}/stream`);
    assert.deepEqual([again.isComplete, again.body], [true, "- Think\n---RESPONSE---\nHello."]);
    await app.close();
    await model.close();
  });
});
