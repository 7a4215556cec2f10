/** A model whose chat template opens the reasoning, on every wire: contract rule 1. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { readUntil } from "../../support/clients/read-until.ts";
import { toChunk, type ScriptedCall } from "../../support/model/scripted-model.ts";
import { readResponse, type AppResponse, type RunningApp } from "../../support/apps/start-app.ts";
import {
  readJson,
  readPlainText,
  readTypedEvents,
  readUiMessages,
} from "../../support/clients/wire-readers.ts";
import { useModel, useStartApp } from "../../support/apps/use-app.ts";

const question = { messages: [{ sender: "user", text: "Hi" }] };
const uiQuestion = { messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }] };
const completion = { messages: [{ role: "user", content: "Hi" }] };
const typed = { accept: "text/event-stream" };

const secret = "Let me think.\n---RESPONSE---";
const bare = `${secret}\n</think>\n\n- Greet\n---RESPONSE---\nHi!`;
const teaching = "Let me think.\n</think>\n\n- Greet\n---RESPONSE---\nHi!";

/** The request of each wire's client, and how it reads the response. */
const wires: Readonly<
  Record<
    string,
    (
      app: RunningApp,
    ) => Promise<{ readonly answer: AppResponse; readonly said: readonly (string | undefined)[] }>
  >
> = {
  "plain text": async (app) => {
    const answer = await app.post("/stream-chat", question);
    const { plan, answer: text } = readPlainText(answer);
    return { answer, said: [plan, text] };
  },
  "typed events": async (app) => {
    const answer = await app.post("/stream-chat", question, typed);
    const { plan, answer: text } = readTypedEvents(answer);
    return { answer, said: [plan, text] };
  },
  JSON: async (app) => {
    const answer = await app.post("/stream-chat", question, { accept: "application/json" });
    const { plan, answer: text } = readJson(answer);
    return { answer, said: [plan, text] };
  },
  "/api/chat": async (app) => {
    const answer = await app.post("/api/chat", { id: randomUUID(), ...uiQuestion });
    const { plan, answer: text } = await readUiMessages(answer);
    return { answer, said: [plan, text] };
  },
};

describe("a model that opens its reasoning", { timeout: 120_000 }, () => {
  const model = useModel();
  const start = useStartApp(model, { ON_DISCONNECT: "continue" });

  async function askPlainly(app: RunningApp): Promise<string> {
    return (await app.post("/stream-chat", question)).body;
  }

  for (const [wire, ask] of Object.entries(wires))
    test(`never shows its reasoning in plan or answer on ${wire}, and as reasoning only if that is set`, async () => {
      for (const shows of [true, false]) {
        const app = await start({ MODEL_OPENS_REASONING: "yes", SHOW_REASONING: String(shows) });
        for (const pieces of [[bare], Array.from(bare)]) {
          model.say(...pieces);
          const { answer, said } = await ask(app);
          assert.deepEqual(said, ["- Greet", "Hi!"]);
          const isTyped = wire === "typed events" || wire === "/api/chat";
          assert.equal(answer.body.includes("Let me think."), shows && isTyped);
        }
      }
    });

  for (const name of ["scripted", "scripted+plan"])
    test(`never shows its reasoning in the content of ${name} on /v1`, async () => {
      const app = await start({ MODEL_OPENS_REASONING: "yes", SHOW_REASONING: "true" });
      model.say(...Array.from("Hm.\n</think>\n\n- Greet\n---RESPONSE---\nHi!"));
      for (const stream of [true, false]) {
        const { body } = await app.post("/v1/chat/completions", { model: name, ...completion, stream });
        const values: unknown[] = stream
          ? body
              .split("\n")
              .flatMap((line) => (line.startsWith("data: {") ? [JSON.parse(line.slice(6))] : []))
          : [JSON.parse(body)];
        const texts = { content: "", reasoning_content: "" };
        JSON.stringify(values, (key, value: unknown) => {
          if ((key === "content" || key === "reasoning_content") && typeof value === "string")
            texts[key] += value;
          return value;
        });
        const hasPlan = name.endsWith("+plan");
        assert.equal(texts.content, hasPlan ? "Hi!" : "- Greet\n---RESPONSE---\nHi!");
        assert.ok(texts.reasoning_content.startsWith("Hm."), texts.reasoning_content);
        assert.equal(texts.reasoning_content.includes("- Greet"), hasPlan);
      }
    });

  test("is detected, for turns on any wire, and forgotten after two replies without the mark", async () => {
    const app = await start({});
    model.say(teaching);
    assert.equal(await askPlainly(app), teaching, "what teaches goes out as it came");
    for (const ask of Object.values(wires)) {
      model.say(bare);
      assert.deepEqual((await ask(app)).said, ["- Greet", "Hi!"]);
    }
    model.say("- p\n---RESPONSE---\nb");
    for (let count = 0; count < 2; count += 1) assert.equal(await askPlainly(app), "- p\n---RESPONSE---\nb");
    model.say(teaching);
    assert.equal(await askPlainly(app), teaching);
  });

  test("is detected on /v1 without a plan as well", async () => {
    const app = await start({});
    model.say(teaching);
    await app.post("/v1/chat/completions", { model: "scripted", ...completion });
    assert.equal(await askPlainly(app), "- Greet\n---RESPONSE---\nHi!");
  });

  test("is not detected with MODEL_OPENS_REASONING=no", async () => {
    const app = await start({ MODEL_OPENS_REASONING: "no" });
    model.say(teaching);
    for (let count = 0; count < 2; count += 1) assert.equal(await askPlainly(app), teaching);
  });

  test("leaves the response's status open while its text is held, and delays no other turn", async () => {
    const app = await start({ MODEL_OPENS_REASONING: "yes", SHOW_REASONING: "true" });
    const turnId = randomUUID();
    const next = model.nextCall();
    let hasStatus = false;
    const opening = app.open("POST", "/stream-chat", question, { "x-turn-id": turnId });
    void opening.then(() => (hasStatus = true));
    const call = await next;
    call.text("- Held").event(toChunk({ reasoning_content: "seen" }));
    const follower = await app.open("GET", `/turns/${turnId}/stream`, undefined, typed);
    await readUntil(follower, "seen");
    assert.equal(hasStatus, false);
    model.say(bare);
    assert.equal(await askPlainly(app), "- Greet\n---RESPONSE---\nHi!");
    assert.equal(hasStatus, false);
    call.text("</think>- p\n---RESPONSE---\nb").finish();
    assert.equal((await readResponse(await opening)).body, "- p\n---RESPONSE---\nb");
    assert.ok((await readUntil(follower, '"turn-end"')).includes("- Held"));
  });

  test("loses no text of a reply that is cut off or stopped while it is held", async () => {
    const app = await start({ MODEL_OPENS_REASONING: "yes", SHOW_REASONING: "true" });
    model.script = (call: ScriptedCall) => call.text("- a").text("\n--").text("-RESP").end();
    const { status, body, isComplete } = await app.post("/stream-chat", question);
    assert.equal(status, 200);
    assert.ok(body.startsWith("- a\n---RESP\n---RESPONSE---\n\n[error] model_truncated: "), body);
    assert.equal(isComplete, false);
    const turnId = randomUUID();
    const next = model.nextCall();
    const asked = app.post("/stream-chat", question, { "x-turn-id": turnId });
    (await next).text("- a\n```\n---RESPONSE---\n``").event(toChunk({ reasoning_content: "seen" }));
    const follower = await app.open("GET", `/turns/${turnId}/stream`, undefined, typed);
    await readUntil(follower, "seen");
    await app.post(`/turns/${turnId}/stop`, {});
    assert.equal((await asked).body, "- a\n```\n---RESPONSE---\n``");
  });

  test("is an empty reply if it sends nothing but a block that does not close", async () => {
    const app = await start({});
    model.say("<thought>never");
    const { status, body } = await app.post("/stream-chat", question);
    assert.equal(status, 502);
    assert.ok(body.includes("empty_reply"), body);
  });
});
