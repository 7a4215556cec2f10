/** The Responses API on every database and two replicas, through OpenAI's own client. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import OpenAI from "openai";
import type { Response, ResponseInputItem, ResponseStreamEvent } from "openai/resources/responses/responses";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import type { RunningApp } from "../../support/apps/start-app.ts";
import { toVariables, useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { readUntil } from "../../support/clients/read-until.ts";
import type { ScriptedCall } from "../../support/model/scripted-model.ts";
import { useTools } from "../tools/use-tools.ts";

const asked = { model: "scripted+plan", input: "Hi" } as const;

/** Runs the suite on the database that `start` starts, with one replica if it supports no more. */
export function runResponsesSuite(name: string, start: () => Promise<StoreHarness>, replicas: 1 | 2): void {
  describe(`the Responses API on ${name}`, { timeout: 240_000 }, () => {
    const model = useModel();
    const tools = useTools("suite");
    const database = useDatabase(start);
    const apps = Array.from({ length: replicas }, () => useApp(model, () => tools.variables, { database }));
    /** The replica that runs the turns, and the one that is asked about them. */
    const [here = assert.fail(), there = here] = apps;

    /** A client of `app` for a user of its own, or for `userId`. */
    function connect(app: RunningApp, userId: string): OpenAI {
      return new OpenAI({
        apiKey: "none",
        baseURL: `${app.url}/v1`,
        defaultQuery: { userId },
        maxRetries: 0,
      });
    }

    function useUser() {
      const user = randomUUID();
      return { user, mine: connect(here, user), other: connect(there, user) };
    }

    const say = (call: ScriptedCall): void => call.text("- a\n---RESPONSE---\nHé三 ").text("llo").finish();

    test("gives a reply, its plan as a summary, and the same response to a later reader of any replica", async () => {
      model.script = say;
      const { user, mine, other } = useUser();
      const metadata = { topic: "greetings" };
      const body = { ...asked, user, metadata, instructions: "Be brief.", temperature: 0.5 };
      const whole = await mine.responses.create(body);
      assert.equal(whole.output_text, "Hé三 llo");
      assert.deepEqual(
        whole.output.map(({ type }) => type),
        ["reasoning", "message"],
      );
      assert.partialDeepStrictEqual(whole, {
        status: "completed",
        metadata,
        instructions: "Be brief.",
        user,
      });
      assert.deepEqual(await other.responses.retrieve(whole.id), whole);
      const streamed = mine.responses.stream(body);
      const events = await readAll(streamed);
      const final = await streamed.finalResponse();
      assert.equal(final.output_text, whole.output_text);
      assert.deepEqual(toComparable(await other.responses.retrieve(final.id)), toComparable(final));
      const again = other.responses.stream({ response_id: final.id });
      assert.deepEqual(join(await readAll(again)), join(events));
      assert.deepEqual(toComparable(await again.finalResponse()), toComparable(final));
    });

    test("gives the rest after any event, on any replica", async () => {
      model.script = say;
      const { user, mine, other } = useUser();
      const events = await readAll(await mine.responses.create({ ...asked, user, stream: true }));
      const id = idOf(events);
      for (const [index, { sequence_number: after }] of events.entries()) {
        const rest = await other.responses.retrieve(id, { stream: true, starting_after: after });
        assert.deepEqual(
          join([...events.slice(0, index + 1), ...(await readAll(rest))]),
          join(events),
          String(after),
        );
      }
    });

    test("follows a response that runs on another replica, and cancels it there", async () => {
      const { user, mine, other } = useUser();
      const next = model.nextCall();
      const begun = await mine.responses.create({ ...asked, user, background: true });
      assert.deepEqual([begun.status, begun.background, begun.output], ["in_progress", true, []]);
      const call = await next;
      call.text("- a\n---RESPONSE---\nHalf");
      const response = await there.open("GET", `/v1/responses/${begun.id}?stream=true&userId=${user}`);
      const beginning = await readUntil(response, "Half");
      assert.match(beginning, /^event: response\.created\n/);
      const running = await other.responses.retrieve(begun.id);
      assert.deepEqual([running.status, running.output_text], ["in_progress", "Half"]);
      const cancelled = await other.responses.cancel(begun.id);
      await call.closed;
      assert.equal(cancelled.status, "cancelled");
      const rest = await readUntil(response, "[DONE]");
      assert.match(rest, /"type":"response\.completed".*"status":"cancelled"/);
      const { output_text: text, ...found } = await mine.responses.retrieve(begun.id);
      assert.deepEqual([text, found], ["Half", cancelled]);
    });

    test("continues a response in its conversation, with instructions that hold once", async () => {
      model.script = say;
      const { user, mine, other } = useUser();
      const first = await mine.responses.create({ ...asked, user, instructions: "Be brief." });
      const more = { ...asked, model: "scripted", user, previous_response_id: first.id };
      const second = await other.responses.create({ ...more, input: "And?" });
      assert.equal(second.previous_response_id, first.id);
      assert.deepEqual(model.calls.at(-1)?.body.messages, [
        { role: "user", content: "Hi" },
        { role: "assistant", content: "Hé三 llo" },
        { role: "user", content: "And?" },
      ]);
      await other.responses.create({ ...more, input: "Or?" });
      assert.equal(model.calls.at(-1)?.body.messages.length, 3);
    });

    test("runs tools of the server, and goes on with a call once its user has approved it on any replica", async () => {
      const { user, mine, other } = useUser();
      tools.say("forty-two");
      model.inOrder(
        (call) =>
          call.text("- a\n---RESPONSE---\nWait.").toolCall("w__look", { a: 1 }, "c1").finish("tool_calls"),
        (call) => call.toolCall("w__act", { b: 1 }, "c2").finish("tool_calls"),
        (call) => call.text("Done.").finish(),
      );
      const first = await mine.responses.create({ ...asked, user });
      assert.deepEqual(
        first.output.map(({ type }) => type),
        ["reasoning", "message", "mcp_call", "mcp_approval_request"],
      );
      assert.partialDeepStrictEqual(first.output[2], {
        server_label: "w",
        name: "look",
        arguments: '{"a":1}',
        output: "forty-two",
        error: null,
        approval_request_id: null,
      });
      const approval = first.output[3];
      assert.ok(approval?.type === "mcp_approval_request");
      assert.deepEqual([approval.name, approval.arguments], ["act", '{"b":1}']);
      const answer = {
        type: "mcp_approval_response",
        approval_request_id: approval.id,
        approve: true,
      } as const;
      const more = { ...asked, user, previous_response_id: first.id, input: [answer] };
      const events = await readAll(await other.responses.create({ ...more, stream: true }));
      const second = await mine.responses.retrieve(idOf(events));
      assert.equal(second.id, `${first.id}_1`);
      assert.equal(second.previous_response_id, first.id);
      assert.partialDeepStrictEqual(second.output, [
        { type: "mcp_call", name: "act", approval_request_id: approval.id, output: "forty-two" },
        { type: "message", content: [{ text: "\n\nDone." }] },
      ]);
      assert.deepEqual(await other.responses.retrieve(first.id), first);
      const again = await mine.responses.retrieve(second.id, { stream: true });
      assert.deepEqual(join(await readAll(again)), join(events));
    });

    test("takes the results of the client's calls, for the previous response or as part of the whole chat", async () => {
      const script = (call: ScriptedCall): void => {
        const hasResult = call.body.messages.some(({ role }) => role === "tool");
        if (hasResult) return call.text("It is 07:15.").finish();
        return call.text("Let me see.").toolCall("get_time", { city: "Lima" }, "call_a").finish("tool_calls");
      };
      const tool = { type: "function", name: "get_time", parameters: {}, strict: false } as const;
      for (const isWhole of [false, true]) {
        model.script = script;
        const { user, mine, other } = useUser();
        const body = { model: "scripted", user, tools: [tool] };
        const first = await mine.responses.create({ ...body, input: "Hi" });
        const call = first.output.at(-1);
        assert.ok(call?.type === "function_call");
        assert.deepEqual([call.call_id, call.arguments], ["call_a", '{"city":"Lima"}']);
        const output = { type: "function_call_output", call_id: "call_a", output: "07:15" } as const;
        const second = await other.responses.create(
          isWhole
            ? { ...body, input: [{ role: "user", content: "Hi" }, ...toInput(first), output] }
            : { ...body, previous_response_id: first.id, input: [output] },
        );
        assert.equal(second.output_text, "It is 07:15.");
        assert.deepEqual(
          model.calls.at(-1)?.body.messages.map(({ role, content }) => [role, content]),
          [
            ["user", "Hi"],
            ["assistant", "Let me see."],
            ["tool", "07:15"],
          ],
        );
        const rows = await rowsOf(user, second.id);
        assert.deepEqual(rows, [
          ["user", "Hi"],
          ["assistant", "Let me see.\n\nIt is 07:15."],
        ]);
      }
    });

    test("keeps a failure as the response's error, after a stream that ended with it", async () => {
      const { user, mine, other } = useUser();
      model.script = (call) => call.text("- a\n---RESPONSE---\nHalf").cutOff();
      const read: ResponseStreamEvent[] = [];
      await assert.rejects(
        async () => {
          for await (const event of await mine.responses.create({ ...asked, user, stream: true }))
            read.push(event);
        },
        { code: "model_truncated" },
      );
      const failed = await other.responses.retrieve(idOf(read));
      assert.equal(failed.status, "failed");
      assert.partialDeepStrictEqual(failed, {
        error: { code: "model_truncated" },
        output: [{}, { status: "incomplete", content: [{ text: "Half" }] }],
      });
    });

    test("gives the response of a key to the same request on any replica", async () => {
      const { user, mine, other } = useUser();
      model.script = say;
      const options = { headers: { "Idempotency-Key": randomUUID() } };
      const first = await mine.responses.create({ ...asked, user }, options);
      const calls = model.calls.length;
      assert.deepEqual(await other.responses.create({ ...asked, user }, options), first);
      assert.equal(model.calls.length, calls);
      await assert.rejects(other.responses.create({ ...asked, user, metadata: { a: "b" } }, options), {
        code: "idempotency_mismatch",
      });
    });

    test("goes on when its client leaves, which finds the whole response later", async () => {
      const { user, mine, other } = useUser();
      const next = model.nextCall();
      const opening = mine.responses.create({ ...asked, user, stream: true });
      const call = await next;
      call.text("- a\n---RESPONSE---\nHalf");
      const stream = await opening;
      let id = "";
      for await (const event of stream) {
        if (event.type === "response.created") ({ id } = event.response);
        if (event.type === "response.output_text.delta") break;
      }
      call.text(" and whole").finish();
      await here.logged(({ msg, userId }) => msg === "turn" && userId === user);
      const found = await other.responses.retrieve(id);
      assert.deepEqual([found.status, found.output_text], ["completed", "Half and whole"]);
    });

    test("keeps nothing with store: false", async () => {
      const { user, mine, other } = useUser();
      model.script = say;
      const response = await mine.responses.create({ ...asked, user, store: false });
      assert.equal(response.output_text, "Hé三 llo");
      assert.partialDeepStrictEqual(response, { store: false });
      for (const client of [mine, other])
        await assert.rejects(client.responses.retrieve(response.id), { status: 404, code: "not_found" });
    });

    test("has the same responses after a restart, byte for byte", async () => {
      model.script = say;
      const { user, mine } = useUser();
      const tool = {
        type: "function",
        name: "f",
        parameters: { zz: 1, a: { b: 2, aa: 3 } },
        strict: false,
      } as const;
      const events = await mine.responses.create({ ...asked, user, tools: [tool], stream: true });
      const path = `/v1/responses/${idOf(await readAll(events))}`;
      const paths = [`${path}?userId=${user}`, `${path}?userId=${user}&stream=true&starting_after=4`];
      const before = await Promise.all(paths.map(async (each) => await here.get(each)));
      await here.close();
      await here.start(toVariables(model, database, tools.variables));
      for (const [index, each] of paths.entries())
        assert.equal((await here.get(each)).body, before[index]?.body);
    });

    async function rowsOf(user: string, responseId: string): Promise<readonly unknown[]> {
      const { body } = await here.get(`/turns/${responseId.slice("resp_".length)}?userId=${user}`);
      const rows = await readMessages(here.app.store.database, JSON.parse(body).conversationId, user);
      return rows.map(({ role, content }) => [role, content]);
    }
  });
}

async function readAll(stream: AsyncIterable<ResponseStreamEvent>): Promise<ResponseStreamEvent[]> {
  return await Array.fromAsync(stream);
}

/** Returns the output as a client sends it back. */
function toInput({ output }: Response): ResponseInputItem[] {
  return JSON.parse(JSON.stringify(output));
}

function idOf(events: readonly ResponseStreamEvent[]): string {
  const [first] = events;
  assert.ok(first?.type === "response.created");
  return first.response.id;
}

/** Returns `events` with consecutive pieces of a text as one. */
function join(events: readonly ResponseStreamEvent[]): readonly object[] {
  const joined: (ResponseStreamEvent & { delta?: unknown })[] = [];
  for (const event of events) {
    const before = joined.at(-1);
    if (
      before?.type === "response.output_text.delta" &&
      event.type === "response.output_text.delta" &&
      before.item_id === event.item_id
    )
      joined[joined.length - 1] = { ...toPlain(event), delta: before.delta + event.delta };
    else joined.push(toPlain(event));
  }
  return joined;
}

/** The helper of the client adds the text so far to the pieces. */
function toPlain<Event extends ResponseStreamEvent>(event: Event): Event {
  const { snapshot: _, ...fields } = { snapshot: undefined, ...event };
  return JSON.parse(JSON.stringify(fields));
}

/** The client adds fields to responses that it parses. */
function toComparable(response: Response): object {
  const { output_parsed: _, output_text: __, ...fields } = JSON.parse(JSON.stringify(response));
  return { ...fields, output: fields.output.map(withoutParsed) };
}

function withoutParsed(item: { readonly content?: readonly { readonly parsed?: unknown }[] }): object {
  if (item.content === undefined) return item;
  const content = item.content.map((part) => {
    const { parsed: _, ...fields } = part;
    return fields;
  });
  return { ...item, content };
}
