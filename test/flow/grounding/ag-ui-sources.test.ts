/** Sources on AG-UI: custom events that every client gets, before any text. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, describe, test } from "node:test";
import { agentVersions, ObservedAgent, ObservedThread, toRun } from "../../support/clients/ag-ui.ts";
import { useSearchingReplicas } from "./use-searching-replicas.ts";

const forwardedProps = { use_web_search: true };

describe("the sources of a run", { timeout: 120_000 }, () => {
  const { model, web, here, there } = useSearchingReplicas();

  beforeEach(() => {
    web.find({ title: "Tides", url: web.toPageUrl("gone"), content: "High tide is at 04:12." });
    model.say("- Look it up\n---RESPONSE---\n", "At 04:12 [1].");
  });

  for (const version of agentVersions)
    test(`reach HttpAgent ${version}`, async () => {
      const options = { url: here.url, userId: randomUUID(), threadId: randomUUID() };
      const observed = new ObservedAgent(version, options);
      const values: unknown[] = [];
      observed.agent.subscribe({
        onCustomEvent: ({ event }: { event: { value?: unknown } }) => void values.push(event.value),
      });
      await observed.ask("When is high tide?", { forwardedProps });
      assert.deepEqual(observed.customs, ["search", "source"]);
      assert.deepEqual(values, [
        { kind: "web", query: "When is high tide?", status: "found" },
        {
          sourceId: `web:${web.toPageUrl("gone")}`,
          number: 1,
          kind: "web",
          title: "Tides",
          url: web.toPageUrl("gone"),
          documentId: null,
          page: null,
          heading: null,
          quote: "High tide is at 04:12.",
        },
      ]);
      assert.deepEqual(observed.shown.at(-1), ["assistant", "At 04:12 [1]."]);
    });

  test("reach TanStack AI, whose reply is as without them", async () => {
    const thread = new ObservedThread({ url: here.url, userId: randomUUID(), threadId: randomUUID() });
    thread.chat.updateOptions({ forwardedProps });
    await thread.chat.sendMessage("When is high tide?");
    assert.deepEqual(thread.customs, ["search", "source"]);
    assert.deepEqual(thread.errors, []);
  });

  test("have ids, after which any replica sends the rest", async () => {
    const userId = randomUUID();
    const runId = randomUUID();
    const body = toRun(randomUUID(), runId, "When is high tide?", { forwardedProps });
    const whole = await here.post(`/ag-ui?userId=${userId}`, body);
    const frames = whole.body.split("\n\n").filter((frame) => frame !== "");
    const places = frames.flatMap((frame, index) => (frame.includes('"CUSTOM"') ? [index] : []));
    assert.deepEqual(places, [1, 2]);
    for (const index of places) {
      const id = /^id: (.+)$/m.exec(frames[index] ?? "")?.[1] ?? assert.fail();
      const path = `/ag-ui?runId=${runId}&userId=${userId}`;
      const rest = await there.get(path, { "last-event-id": id });
      const next = rest.body.split("\n\n").filter((frame) => frame !== "");
      // A joined run shows an empty message first.
      const known = next.filter((frame) => frames.includes(frame));
      assert.deepEqual(known.slice(0, -1), frames.slice(index + 1, -1));
    }
  });
});
