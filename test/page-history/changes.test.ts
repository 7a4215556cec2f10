/** Changes that tabs tell each other. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Changes, type Change } from "../../web/src/base/changes.ts";

describe("Changes", () => {
  test("are told to listeners of this tab and to the channel, until a listener leaves", () => {
    const changes = new Changes();
    const sent: unknown[] = [];
    changes.connect({ addEventListener: () => {}, postMessage: (message) => void sent.push(message) });
    const heard: Change[] = [];
    const stop = changes.subscribe((change) => void heard.push(change));
    changes.announce({ type: "turn-start", conversationId: "a" });
    stop();
    changes.announce({ type: "turn-end", conversationId: "a" });
    assert.deepEqual(heard, [{ type: "turn-start", conversationId: "a" }]);
    assert.equal(sent.length, 2);
  });

  test("of another version of the page are ignored if this one does not know them", () => {
    const changes = new Changes();
    const heard: Change[] = [];
    changes.subscribe((change) => void heard.push(change));
    let receive: (event: Event) => void = () => {};
    changes.connect({ addEventListener: (_, listener) => (receive = listener), postMessage: () => {} });
    const unknown = [null, undefined, 7, "delete", [], {}, { type: "later" }, { type: "toString" }];
    for (const data of unknown) receive(new MessageEvent("message", { data }));
    receive(new MessageEvent("message", { data: { type: "delete", conversationId: 7, extra: 1 } }));
    receive(new MessageEvent("message", { data: { type: "title", conversationId: "a" } }));
    receive(new Event("message"));
    assert.deepEqual(heard, [{ type: "delete" }, { type: "title", conversationId: "a" }]);
  });
});
