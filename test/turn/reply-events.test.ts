import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OpenedReasoning } from "../../src/turn/reply/opened-reasoning.ts";
import { ReplyEvents } from "../../src/turn/reply-events.ts";
import type { TurnEvent } from "../../src/turn/turn-event.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** Texts of whose starts some are held. */
const texts = [
  "",
  "- One\n- Two\n---RESPONSE---\nAnswer",
  "Prose that may be a plan\n---RESPONSE---\nAnswer",
  "Prose without a boundary",
  "---RESPONSE---\n\n  Answer",
  "```\n---RESPONSE---\n```\nAnswer",
  "<think>hm</think>\n\n- One\n**---RESPONSE---**\nAnswer",
  "<think>hm",
  "  \n\t",
  "-",
  "Plan",
];

function createReply(wantsPlan: boolean, opens: "auto" | "yes" = "auto") {
  const events: TurnEvent[] = [];
  const options = { clock: new ManualClock(), showsReasoning: false };
  const reply = new ReplyEvents(
    { append: (event) => void events.push(event) },
    wantsPlan,
    new OpenedReasoning(opens),
    options,
  );
  return { reply, events };
}

/** Returns the events of a reply that starts with `lost`, after `before` and a tool call, and then `text`. */
function run(before: string | undefined, lost: string, text: string, wantsPlan: boolean, asksFirst: boolean) {
  const { reply, events } = createReply(wantsPlan);
  if (before !== undefined) {
    reply.push(before);
    reply.settle();
    reply.add({
      type: "tool-call",
      callId: "c",
      name: "n",
      title: undefined,
      runsOn: "server",
      step: 0,
      input: "{}",
    });
    reply.startStep();
  }
  const sent = events.length;
  reply.push(lost);
  const isNothing = asksFirst && reply.saysNothing();
  const isUnseen = events.length === sent;
  if (isNothing) assert.ok(isUnseen, "a reply that says nothing sends nothing");
  assert.equal(reply.restart(), isUnseen, JSON.stringify({ before, lost, events }));
  if (!isUnseen) return undefined;
  reply.push(text);
  reply.end(true);
  return { events, hasPlan: reply.hasPlan, firstTextAtMs: reply.firstTextAtMs };
}

describe("ReplyEvents", () => {
  test("starts again from any text that was not sent yet, as if it had never come", () => {
    for (const before of [undefined, ...texts])
      for (const wantsPlan of [true, false])
        for (const text of texts) {
          const fresh = run(before, "", text, wantsPlan, false);
          for (const lost of texts)
            for (let end = 1; end <= lost.length; end += 1)
              for (const asksFirst of [false, true]) {
                const again = run(before, lost.slice(0, end), text, wantsPlan, asksFirst);
                if (again !== undefined)
                  assert.deepEqual(again, fresh, JSON.stringify({ before, lost, end, text }));
              }
        }
  });

  test("knows a reply that says nothing from one whose text is only held", () => {
    const nothing = [
      "",
      " \n",
      "<think>hm</think>\n",
      "<think>hm",
      "---RESPONSE---\n",
      "\n**---RESPONSE---**  \n\n",
    ];
    for (const text of nothing) {
      const { reply } = createReply(true);
      reply.push(text);
      assert.equal(reply.saysNothing(), true, JSON.stringify(text));
    }
    for (const text of ["Yes", "-", "- One", "<thi", "<think>hm</think>x", "---RESPONSE---\nx", "`"]) {
      const { reply } = createReply(true);
      reply.push(text);
      assert.equal(reply.saysNothing(), false, JSON.stringify(text));
    }
    const { reply } = createReply(true, "yes");
    reply.push("Held until a mark that never comes");
    assert.equal(reply.saysNothing(), false);
  });
});
