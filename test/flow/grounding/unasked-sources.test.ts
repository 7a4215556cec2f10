/** Turns that ask for no sources, on a server that has some: they cost no call more than elsewhere. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test, type TestContext } from "node:test";
import { ManualClock } from "../../support/manual-clock.ts";
import type { RunningApp } from "../../support/apps/start-app.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";
import { useWeb } from "../../support/web/scripted-web.ts";

const stored = { CHAT_STORE_ENABLED: "true" };

describe("a turn that asks for no sources", { timeout: 60_000 }, () => {
  const model = useModel();
  const web = useWeb("suite");
  // By a clock that stands still, nothing else calls the store.
  const plain = useApp(model, stored, { clock: new ManualClock() });
  const searching = useApp(model, () => ({ ...stored, ...web.variables }), { clock: new ManualClock() });

  /** Runs a turn; resolves with the functions that it has called in the store. */
  async function listCalls(
    context: TestContext,
    app: RunningApp,
    wishes: object,
  ): Promise<readonly unknown[]> {
    const { database } = app.app.store;
    assert.ok(database !== undefined);
    const { mock } = context.mock.method(database, "call");
    const { status } = await app.chat("What is alpha?", { userId: randomUUID(), ...wishes });
    assert.equal(status, 200);
    const names = mock.calls.map(({ arguments: [name] }) => name);
    mock.restore();
    return names;
  }

  test("calls the store as often as without sources, and nothing but the model", async (context) => {
    model.say("- a\n---RESPONSE---\n", "Alpha.");
    const expected = await listCalls(context, plain, {});
    for (const wishes of [{}, { use_web_search: false }, { knowledge_base: null }]) {
      model.calls.length = 0;
      assert.deepEqual(await listCalls(context, searching, wishes), expected);
      assert.deepEqual([model.calls.length, web.searches.length, web.pageRequests.length], [1, 0, 0]);
    }
    const asked = await listCalls(context, searching, { use_web_search: true, knowledge_base: "handbook" });
    assert.ok(asked.length > expected.length && web.searches.length === 1, "the calls are counted");
  });
});
