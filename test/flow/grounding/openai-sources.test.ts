/** Sources on OpenAI's wires: the citations of a reply are annotations that its client reads. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, describe, test } from "node:test";
import OpenAI from "openai";
import type { Response, ResponseStreamEvent } from "openai/resources/responses/responses";
import { z } from "zod";
import { useApp } from "../../support/apps/use-app.ts";
import type { RunningApp } from "../../support/apps/start-app.ts";
import { useSearchingReplicas } from "./use-searching-replicas.ts";

const messages = [
  { role: "system" as const, content: "Be brief." },
  { role: "user" as const, content: "When is high tide in Dover?" },
];
const wish = { use_web_search: true };
const answer = "🌊 At 04:12 [1]. It opens at six [2].";
const Annotated = z.object({ annotations: z.array(z.unknown()) });

describe("the sources of a turn of OpenAI's clients", { timeout: 120_000 }, () => {
  const { model, web, database, here, there } = useSearchingReplicas();
  const unsearched = useApp(model, () => ({}), { database, lifetime: "test" });

  beforeEach(() => {
    web.find(
      { title: "Tides", url: web.toPageUrl("gone"), content: "High tide is at 04:12." },
      { title: "Harbour", url: web.toPageUrl("lost"), content: "The harbour opens at six." },
    );
    model.say("- Look it up\n---RESPONSE---\n", "🌊 At 04:12 [1]. It op", "ens at six [2].");
  });

  const toCitations = () => [
    { start_index: 11, end_index: 14, title: "Tides", url: web.toPageUrl("gone") },
    { start_index: 32, end_index: 35, title: "Harbour", url: web.toPageUrl("lost") },
  ];
  const toAnnotations = () => toCitations().map((citation) => ({ type: "url_citation", ...citation }));

  function connect(app: RunningApp, userId = randomUUID()): OpenAI {
    return new OpenAI({ apiKey: "none", baseURL: `${app.url}/v1`, defaultQuery: { userId }, maxRetries: 0 });
  }

  const lastMessages = (): readonly { readonly role: string; readonly content: unknown }[] =>
    model.calls.at(-1)?.body.messages ?? [];

  describe("Chat Completions", () => {
    test("has annotations in a whole reply, and in one chunk before the end of a streamed one", async () => {
      const client = connect(here).chat.completions;
      const nested = toCitations().map((citation) => ({ type: "url_citation", url_citation: citation }));
      const whole = await client.create({ model: "scripted+plan", messages, ...wish });
      assert.equal(whole.choices[0]?.message.content, answer);
      assert.deepEqual(whole.choices[0]?.message.annotations, nested);
      const stream = await client.create({ model: "scripted+plan", messages, ...wish, stream: true });
      const choices = [];
      for await (const {
        choices: [choice],
      } of stream)
        choices.push(choice ?? assert.fail());
      const places = choices.flatMap(({ delta }, index) => ("annotations" in delta ? [index] : []));
      assert.deepEqual(places, [choices.length - 2]);
      assert.deepEqual(Annotated.parse(choices.at(-2)?.delta).annotations, nested);
      assert.equal(choices.at(-1)?.finish_reason, "stop");
      const helper = client.stream({ model: "scripted+plan", messages, ...wish });
      const {
        choices: [final],
      } = await helper.finalChatCompletion();
      assert.deepEqual(final?.message.annotations, nested);
    });

    test("gives a model without a plan the sources in one system message, and the client's others as they are", async () => {
      model.say(answer);
      const client = connect(here).chat.completions;
      const reply = await client.create({ model: "scripted", messages, ...wish });
      assert.equal(reply.choices[0]?.message.annotations?.length, 2);
      const [first, ...others] = lastMessages();
      assert.equal(first?.role, "system");
      assert.match(String(first.content), /^Be brief\.\n\n[^]*<source-[\da-f]{12} id="1" title="Tides"/);
      assert.deepEqual(others, messages.slice(1));
      await client.create({ model: "scripted", messages: others, ...wish });
      assert.deepEqual(
        lastMessages().map(({ role }) => role),
        ["system", "user"],
      );
      // A client sends the reply back as it got it.
      const sent = reply.choices[0]?.message ?? assert.fail();
      const next = { role: "user" as const, content: "Thanks" };
      await client.create({ model: "scripted", messages: [...messages, sent, next] });
      assert.deepEqual(lastMessages(), [
        ...messages,
        { role: "assistant", content: answer, refusal: null },
        next,
      ]);
    });

    test("without a search engine sends nothing of the wishes to a model without a plan", async () => {
      model.say("Hello.");
      const wishes = { ...wish, knowledge_base: "handbook" };
      const reply = await connect(unsearched).chat.completions.create({
        model: "scripted",
        messages,
        ...wishes,
      });
      assert.equal("annotations" in (reply.choices[0]?.message ?? {}), false);
      const { body } = model.calls.at(-1) ?? assert.fail();
      assert.deepEqual(body.messages, messages);
      assert.doesNotMatch(JSON.stringify(body), /use_web_search|knowledge_base|handbook/);
    });
  });

  describe("Responses", () => {
    const asked = { model: "scripted+plan", input: "When is high tide in Dover?", ...wish };

    test("has annotations in the response, in its items, and in those of its conversation", async () => {
      const userId = randomUUID();
      const conversationId = randomUUID();
      const headers = { "x-conversation-id": conversationId };
      const whole = await connect(here, userId).responses.create(asked, { headers });
      const other = connect(there, userId);
      assert.equal(whole.output_text, answer);
      assert.deepEqual(findAnnotations(whole), toAnnotations());
      assert.deepEqual(findAnnotations(await other.responses.retrieve(whole.id)), toAnnotations());
      const { data } = await other.conversations.items.list(`conv_${conversationId}`, { order: "asc" });
      assert.deepEqual(z.array(z.unknown()).parse(data).flatMap(toParts), toAnnotations());
      const next = await other.responses.create({
        model: "scripted+plan",
        input: "Thanks",
        previous_response_id: whole.id,
      });
      const inputs = await other.responses.inputItems.list(next.id, { order: "asc" });
      assert.deepEqual(z.array(z.unknown()).parse(inputs.data).flatMap(toParts), toAnnotations());
    });

    test("streams them before the end of the text, with the same numbers after any event on any replica", async () => {
      const userId = randomUUID();
      const stream = connect(here, userId).responses.stream({ ...asked, stream: true });
      const events: ResponseStreamEvent[] = [];
      for await (const event of stream) events.push(event);
      assert.deepEqual(findAnnotations(await stream.finalResponse()), toAnnotations());
      const added = events.filter(({ type }) => type === "response.output_text.annotation.added");
      assert.partialDeepStrictEqual(
        added,
        toAnnotations().map((annotation, index) => ({
          annotation,
          annotation_index: index,
          content_index: 0,
        })),
      );
      const ends = events.slice(events.findIndex((event) => event === added[0]));
      assert.deepEqual(
        ends.slice(0, 4).map(({ type }) => type),
        [added[0]?.type, added[1]?.type, "response.output_text.done", "response.content_part.done"],
      );
      const numbers = ends.map(({ sequence_number: number }) => number);
      const id = (await stream.finalResponse()).id;
      const { responses } = connect(there, userId);
      for (const [index, after] of numbers.entries()) {
        const rest: ResponseStreamEvent[] = [];
        for await (const event of await responses.retrieve(id, { stream: true, starting_after: after }))
          rest.push(event);
        assert.deepEqual(rest.slice(0, -1), ends.slice(index + 1, -1));
        assert.deepEqual(
          rest.map(({ sequence_number: number }) => number),
          numbers.slice(index + 1),
        );
      }
    });
  });
});

const Item = z.object({ content: z.array(z.looseObject({ annotations: z.array(z.unknown()).optional() })) });

/** Returns the annotations of an item. */
function toParts(item: unknown): readonly unknown[] {
  return Item.safeParse(item).data?.content.flatMap(({ annotations = [] }) => annotations) ?? [];
}

function findAnnotations({ output }: Response): readonly unknown[] {
  return output.flatMap(toParts);
}
