/** Replies whose client brings the results of its tools together with the user's next message. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { z } from "zod";
import { parseQueuedBegin, toQueuedBegin } from "../../../src/store/journal/entry.ts";
import type { ToolPart } from "../../../src/turn/items/tool.ts";
import { beginTurn, endTurn } from "../../support/databases/make-turn.ts";
import {
  call,
  contentsOf,
  makeToolChat,
  reply,
  resultOf,
  search,
  source,
} from "../../support/databases/tool-chats.ts";
import type { OpenTurnRows } from "../../support/databases/use-turn-writes.ts";

/** Tests of a suite whose database is `opened`. */
export function testAnsweredReplies(opened: OpenTurnRows): void {
  test("keeps our own calls, the plan, the searches and the sources of a reply whose results come before a new message", async () => {
    const chat = makeToolChat(opened);
    const ours = (output: string): ToolPart => call("web__find", output, { runsOn: "server" });
    const asking = await chat.ask(reply("Look [1]", ours("true"), call("a")));
    const answered = reply("Look [1]", ours("forged"), call("a", "rain"));
    const next = await chat.run(["u: Hi", answered, "u: So?"], reply("Yes"));
    await chat.run(["u: Hi", answered, "u: So?", "a: Yes", "u: And?"], reply("No"));
    const [, earlier, whole, ...later] = await chat.all();
    const tools = z
      .array(z.object({ outcome: z.object({ output: z.string() }) }))
      .parse(whole?.metadata["tools"]);
    const { plan, searches, sources } = whole?.metadata ?? {};
    assert.deepEqual([plan, searches, sources], ["- plan", [search], [source]]);
    assert.deepEqual(
      tools.map(({ outcome }) => outcome.output),
      ["true", "rain"],
    );
    assert.deepEqual([earlier?.id, earlier?.metadata.superseded_by], [asking.turnId, whole?.id]);
    assert.deepEqual(contentsOf(later), ["So?", "Yes", "And?", "No"]);
    assert.equal(later[1]?.id, next.turnId);
  });

  test("keeps the results that came before the end of the reply that asked for them", async () => {
    const chat = makeToolChat(opened);
    const asking = chat.toTurn(["u: Hi"]);
    await beginTurn(opened.writes, asking);
    const answered = { ...reply("Look", call("a", "rain")), id: asking.turnId };
    await chat.run(["u: Hi", answered, "u: So?"], reply("Yes"));
    await endTurn(opened.writes, asking, resultOf(asking, reply("Look", call("a"))));
    assert.deepEqual(await chat.texts(), ["Hi", "Look", "So?", "Yes"]);
    const [, whole] = await chat.shown();
    assert.equal(whole?.status, "complete");
    assert.match(JSON.stringify(whole?.metadata), /"output": ?"rain"/);
  });

  test("finds an unnamed conversation by a reply whose results come before a new message", async () => {
    const chat = makeToolChat(opened);
    await chat.run(["u: Hi"], reply("Look", call("a")));
    const turn = chat.toTurn(["u: Hi", reply("Look", call("a", "rain")), "u: So?"], undefined, {
      conversationId: randomUUID(),
      isConversationNamed: false,
    });
    assert.equal(await beginTurn(opened.writes, parseQueuedBegin(toQueuedBegin(turn))), chat.conversationId);
  });
}
