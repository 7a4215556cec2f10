/** The table of features and wires in docs/protocol.md: each of its cells is a whole turn. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { before, beforeEach, describe, test } from "node:test";
import { useApp, useDatabase } from "../../support/apps/use-app.ts";
import { useTwoModels } from "../../support/apps/use-two-models.ts";
import { makeFile, makePng } from "../../support/clients/file-client.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { readResponse, type AppResponse } from "../../support/apps/start-app.ts";
import { toChunk, type Script, type ScriptedCall } from "../../support/model/scripted-model.ts";
import { readUntil } from "../../support/clients/read-until.ts";
import { useWeb } from "../../support/web/scripted-web.ts";
import { useTools } from "../tools/use-tools.ts";
import { wires, type Question, type Wire } from "./wires.ts";

const docs = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");

/** Whether a wire has a feature, by its column and the row's first words. */
function readTable(): ReadonlyMap<string, ReadonlyMap<string, boolean>> {
  const [, section = ""] = docs.split("\n## Features of each protocol\n");
  const lines =
    section
      .split("\n## ")[0]
      ?.split("\n")
      .filter((line) => line.startsWith("|")) ?? [];
  const [head = [], , ...rows] = lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return new Map(
    rows.map(([feature = "", ...cells]) => [
      feature,
      new Map(cells.map((cell, index) => [head[index + 1] ?? "", cell.startsWith("✓")])),
    ]),
  );
}

const answer: Script = (call) => call.text("- p\n---RESPONSE---\n").text("Done.").finish();

describe("what each protocol carries", { timeout: 240_000 }, () => {
  const table = readTable();
  const models = useTwoModels({ fast: { price: { input: 1, output: 1 } } });
  const tools = useTools("suite");
  const web = useWeb("suite");
  const database = useDatabase(startPostgresHarness);
  const app = useApp(
    models.fast,
    () => ({
      ...models.variables,
      ...tools.variables,
      ...web.variables,
      SHOW_REASONING: "true",
      TITLE_MODEL: "slow",
      ON_DISCONNECT: "continue",
    }),
    { database },
  );
  beforeEach(() => {
    models.fast.script = answer;
    models.slow.script = (call) =>
      call.text(isAboutTitle(call) ? "A title by a model" : "- p\n---RESPONSE---\nSlow.").finish();
    models.fast.calls.length = 0;
    tools.say("forty-two");
  });

  function isAboutTitle({ body }: ScriptedCall): boolean {
    return String(body.messages[0]?.content).startsWith("Write a title");
  }

  function toQuestion(more: Partial<Question> = {}): Question {
    return { text: `Hi ${randomUUID()}`, conversationId: randomUUID(), ...more };
  }

  async function ask(wire: Wire, question: Question): Promise<AppResponse> {
    const { path, headers, body } = wire.ask(question);
    return await app.post(path, body, headers);
  }

  async function listMessages(conversationId: string): Promise<readonly { role: string; content: string }[]> {
    const { status, body } = await app.get(`/conversations/${conversationId}/messages`);
    return status === 200 ? JSON.parse(body).messages : [];
  }

  const lastPrompt = (): string => JSON.stringify(models.fast.calls.at(-1)?.body ?? {});

  /** Each resolves with whether `wire` has the feature. */
  const probes: Readonly<Record<string, (wire: Wire) => Promise<boolean>>> = {
    "the plan apart from the answer": async (wire) => {
      const { plan, answer: said } = await wire.read(await ask(wire, toQuestion()));
      return plan === "- p" && said === "Done.";
    },
    "the reply while it is written": async (wire) => {
      const { path, headers, body, turnId } = wire.ask(toQuestion());
      const next = models.fast.nextCall();
      let isOpen = false;
      const opening = app.open("POST", path, body, headers);
      void opening.then(() => (isOpen = true));
      const call = (await next).text("- p\n---RESPONSE---\nHalf");
      // What was sent before this follower got its text, and the responses after it, has come as well.
      const follower = await app.open("GET", `/turns/${turnId}/stream`);
      await readUntil(follower, "Half");
      for (let count = 0; count < 3; count += 1) await app.get("/healthz");
      const wasOpen = isOpen;
      call.text(" and whole.").finish();
      await Promise.all([readResponse(await opening), readResponse(follower)]);
      return wasOpen;
    },
    "reasoning, with `SHOW_REASONING`": async (wire) => {
      models.fast.script = (call) => {
        call.event(toChunk({ reasoning_content: "because of the weather" }));
        answer(call);
      };
      return (await ask(wire, toQuestion())).body.includes("because of the weather");
    },
    "an end that tells a stop from a complete reply": async (wire) => {
      const { path, headers, body, turnId } = wire.ask(toQuestion());
      const next = models.fast.nextCall();
      const asked = app.post(path, body, headers);
      (await next).text("- p\n---RESPONSE---\nSo far");
      await app.post(`/turns/${turnId}/stop`, {});
      return (await wire.read(await asked)).outcome === "stopped";
    },
    "the code of an error": async (wire) => {
      models.fast.script = (call) => call.text("- p\n---RESPONSE---\nHalf").cutOff();
      return (await wire.read(await ask(wire, toQuestion()))).code !== undefined;
    },
    "token counts": async (wire) => {
      models.fast.script = (call) => {
        const usage = { prompt_tokens: 12_345, completion_tokens: 67_890, total_tokens: 80_235 };
        call.text("- p\n---RESPONSE---\nDone.").event({ ...toChunk({}, "stop"), usage });
        call.end();
      };
      const { body } = await ask(wire, toQuestion());
      return body.includes("12345") && body.includes("67890");
    },
    "the title by a model": async (wire) =>
      (await ask(wire, toQuestion())).body.includes("A title by a model"),
    "resuming a stream that was cut": async (wire) => {
      if (wire.resume === undefined) return false;
      const question = toQuestion();
      const { path, headers, body, turnId } = wire.ask(question);
      const next = models.fast.nextCall();
      const response = await Promise.all([
        app.open("POST", path, body, headers),
        next.then((call) => call.text("- p\n---RESPONSE---\nHalf")),
      ]).then(([opened]) => opened);
      const beginning = await readUntil(response, "Half");
      response.destroy();
      const resumed = wire.resume(turnId, beginning, question);
      const rest = app.open(
        resumed.body === undefined ? "GET" : "POST",
        resumed.path,
        resumed.body,
        resumed.headers,
      );
      (await next).text(" and whole.").finish();
      const { body: told } = await readResponse(await rest);
      assert.equal(models.fast.calls.length, 1);
      return told.includes(" and whole.");
    },
    "one turn for a request sent twice (`Idempotency-Key`)": async (wire) => {
      const question = toQuestion({ key: randomUUID() });
      const [first, second] = [await ask(wire, question), await ask(wire, question)];
      assert.deepEqual(await wire.read(second), await wire.read(first));
      return models.fast.calls.length === 1;
    },
    "the stored chat in its own form": async (wire) => {
      const question = toQuestion();
      await ask(wire, question);
      const path = wire.toHistoryPath?.(question.conversationId);
      if (path === undefined) return false;
      const { status, body } = await app.get(path);
      return status === 200 && body.includes(question.text) && body.includes("Done.");
    },
    "only the new message": async (wire) => {
      const question = toQuestion();
      await ask(wire, question);
      await ask(wire, { ...toQuestion({ isNewOnly: true }), conversationId: question.conversationId });
      return lastPrompt().includes(question.text);
    },
    images: async (wire) => {
      const image = makePng(randomUUID());
      await ask(wire, toQuestion({ files: [image] }));
      return lastPrompt().includes(image.data);
    },
    PDFs: async (wire) => {
      const pdf = makeFile("application/pdf", Buffer.from(`%PDF-1.7\n${randomUUID()}`));
      await ask(wire, toQuestion({ files: [pdf] }));
      return lastPrompt().includes(pdf.data);
    },
    "tools that the client runs": async (wire) => {
      models.fast.script = (call) =>
        call.toolCall("weather", { city: "Oslo" }, "call_weather").finish("tool_calls");
      const { body } = await ask(wire, toQuestion({ tool: "weather" }));
      return body.includes("call_weather");
    },
    "tools that the server runs, and their results": async (wire) => {
      models.fast.script = (call) =>
        models.fast.calls.length === 1 ? call.toolCall("w__look").finish("tool_calls") : answer(call);
      const { body } = await ask(wire, toQuestion());
      return body.includes("look") && body.includes("forty-two");
    },
    "requests for approval": async (wire) => {
      models.fast.script = (call) => call.toolCall("w__act").finish("tool_calls");
      const { path, headers, body, turnId } = wire.ask(toQuestion());
      const response = await app.post(path, body, headers);
      const { approvals } = JSON.parse((await app.get(`/turns/${turnId}`)).body);
      const approvalId: unknown = approvals[0]?.approvalId;
      return [approvalId, "mcp_approval_request"].some((sign) => response.body.includes(String(sign)));
    },
    "the sources that the answer cites": async (wire) => {
      web.find({ title: "Tides", url: web.toPageUrl("tides"), content: "High tide is at four." });
      models.fast.script = (call) => call.text("- p\n---RESPONSE---\nAt four [1].").finish();
      return (await ask(wire, toQuestion({ usesWeb: true }))).body.includes(web.toPageUrl("tides"));
    },
    "the choice of a model": async (wire) => {
      const { answer: said } = await wire.read(await ask(wire, toQuestion({ model: "slow" })));
      return said === "Slow.";
    },
    "`temperature` and other sampling parameters": async (wire) => {
      await ask(wire, toQuestion({ temperature: 0.77 }));
      return lastPrompt().includes('"temperature":0.77');
    },
    "the effort of reasoning": async (wire) => {
      await ask(wire, toQuestion({ effort: "low" }));
      return lastPrompt().includes('"reasoning_effort":"low"');
    },
    "a JSON Schema for the reply": async (wire) => {
      await ask(wire, toQuestion({ schema: { type: "object", title: "a-schema" } }));
      return lastPrompt().includes("a-schema");
    },
    "a turn that is not stored": async (wire) => {
      const question = toQuestion({ isKept: false });
      await ask(wire, question);
      return (await listMessages(question.conversationId)).length === 0;
    },
    "`ifRunning`": async (wire) => {
      const question = toQuestion();
      const next = models.fast.nextCall();
      const first = ask(wire, question);
      const call = await next;
      models.fast.script = answer;
      call.text("- p\n---RESPONSE---\nHalf");
      const second = await ask(wire, { ...question, text: "Second", ifRunning: "reject" });
      call.finish();
      await first;
      return second.status === 409;
    },
  };

  before(() => {
    assert.deepEqual(Array.from(table.keys()), Object.keys(probes));
    for (const row of table.values())
      assert.deepEqual(
        Array.from(row.keys()),
        wires.map(({ name }) => name),
      );
  });

  for (const [feature, hasIt] of Object.entries(probes))
    for (const wire of wires)
      test(`${wire.name}: ${feature}: ${table.get(feature)?.get(wire.name) === true ? "yes" : "no"}`, async () => {
        assert.equal(await hasIt(wire), table.get(feature)?.get(wire.name));
      });
});
