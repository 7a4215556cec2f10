/** The demo mode: honest, deterministic, paced, with plan and boundary. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DemoModel } from "../../src/model/demo-model.ts";
import type { ModelEnd } from "../../src/turn/ports.ts";
import { makeFolder, readResponse, startApp } from "../support/apps/start-app.ts";
import { readConversations, readMessages } from "../support/databases/read-rows.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { toMessages, type Line } from "../support/databases/make-turn.ts";

/** Returns the demo's whole reply to a chat, and the number of 20 ms steps it took. */
function say(...lines: Line[]): { text: string; pieces: number; end: ModelEnd | undefined } {
  const clock = new ManualClock();
  let [text, pieces] = ["", 0];
  let end: ModelEnd | undefined;
  new DemoModel(clock).complete(
    { kind: "chat", instruction: "", parameters: {}, messages: toMessages(lines) },
    {
      text: (piece) => void ((text += piece), (pieces += 1)),
      toolCall: () => assert.fail(),
      end: (told) => void (end = told),
      fail: assert.fail,
      restart: () => assert.fail(),
      judge: () => assert.fail(),
    },
  );
  assert.equal(text, "", "nothing is said before time passes");
  clock.advance(60_000);
  assert.ok(end !== undefined);
  return { text, pieces, end };
}

describe("DemoModel", () => {
  test("plans, sends the boundary, says that it is a demo, and how to connect a model", () => {
    const { text, end } = say("u: Hello");
    assert.match(text, /^- .+\n- .+\n- .+\n---RESPONSE---\n/);
    assert.match(text, /built-in demo: no language model is connected/);
    assert.match(text, /OPENAI_API_KEY and OPENAI_MODEL/);
    assert.match(text, /OPENAI_BASE_URL \(like http:\/\/localhost:11434\/v1\)/);
    assert.equal(end?.finishReason, "stop");
  });

  test("refers to the question: repeats it, knows the date, counts the messages, notices images", () => {
    assert.match(say("u: Tell me  about\nwhales").text, /You wrote:\n> Tell me about whales\n/);
    assert.match(say("u: What day is it today?").text, /It is Monday,? 23 November 2026, 12:00 UTC\./);
    assert.doesNotMatch(say("u: Hello").text, /2026/);
    assert.match(say("u: one", "a: 1", "u: two").text, /message number 2/);
    assert.match(
      say({ role: "user", text: "", images: [{ mimeType: "image/png", data: "AAAA" }] }).text,
      /1 image\(s\), which I cannot see/,
    );
    assert.ok(say(`u: ${"😀".repeat(1000)}`).text.includes(`> ${"😀".repeat(300)}…\n`));
  });

  test("replies the same each time, word by word", () => {
    const [first, second] = [say("u: Hello"), say("u: Hello")];
    assert.equal(first.text, second.text);
    assert.ok(first.pieces > 50);
  });

  test("stops when it is aborted", () => {
    const clock = new ManualClock();
    let pieces = 0;
    const call = new DemoModel(clock).complete(
      { kind: "chat", instruction: "", parameters: {}, messages: toMessages(["u: Hello"]) },
      {
        text: () => void (pieces += 1),
        toolCall: () => assert.fail(),
        end: () => assert.fail(),
        fail: assert.fail,
        restart: () => assert.fail(),
        judge: () => assert.fail(),
      },
    );
    clock.advance(20);
    call.abort();
    clock.advance(60_000);
    assert.equal(pieces, 1);
  });

  test("replies on a server without key and base URL, and its turns are stored like any other", async () => {
    const folder = await makeFolder();
    const clock = new ManualClock();
    const app = await startApp({ CHAT_STORE_ENABLED: "true", DATA_DIR: folder.path }, clock);
    const userId = "01890000-0000-7000-8000-000000000001";
    const opening = app.open("POST", "/stream-chat", {
      messages: [{ sender: "user", text: "Hello" }],
      userId,
    });
    await clock.timer(20);
    clock.advance(20);
    const answering = readResponse(await opening); // the question is stored
    for (;;) {
      const isOver = await Promise.race([clock.timer(20).then(() => false), answering.then(() => true)]);
      if (isOver) break;
      clock.advance(20);
    }
    const { status, body } = await answering;
    assert.equal(status, 200);
    const [conversation] = await readConversations(app.app.store.database, userId);
    const messages = await readMessages(app.app.store.database, conversation?.id ?? "", userId);
    assert.equal(messages.length, 2);
    assert.equal(`${String(messages[1]?.metadata?.["plan"])}\n---RESPONSE---\n${messages[1]?.content}`, body);
    await app.close();
    await folder.remove();
  });
});
