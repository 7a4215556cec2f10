/**
 * The fast path through a stream reads the same as the slow path, whatever the events hold and wherever they
 * are cut.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { EventTemplate } from "../../../src/model/stream/event-template.ts";
import { ReplyReader } from "../../support/model/reply-reader.ts";
import { cutBytes } from "../../support/model/split-reply.ts";

/** An event in some server's form: the text around its content, and the escaping of its strings. */
interface Kind {
  readonly toData: (content: string, pad: string) => string;
}

const escapeAll = (text: string): string =>
  `"${text.replaceAll(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;
const toDelta = (content: string, more = ""): string => `{"index":0,"delta":{"content":${content}}${more}}`;

const toCalls = (input: string): string => `"tool_calls":[{"function":{"arguments":${input}}}]`;

const kinds: readonly Kind[] = [
  {
    toData: (content) =>
      `{"id":"c","model":"m","choices":[${toDelta(JSON.stringify(content), ',"finish_reason":null')}]}`,
  },
  { toData: (content) => `{"choices":[${toDelta(JSON.stringify(content))}]}` },
  {
    toData: (content) =>
      `{"choices": [{"delta": {"content": ${JSON.stringify(content)}}, "finish_reason": null}], "usage": null}`,
  },
  { toData: (content) => `{"choices":[${toDelta(escapeAll(content))}]}` },
  {
    toData: (content, pad) =>
      `{"choices":[${toDelta(JSON.stringify(content))}],"usage":null,"obfuscation":"${pad}"}`,
  },
  { toData: (content, pad) => `{"obfuscation":"${pad}","choices":[${toDelta(JSON.stringify(content))}]}` },
  // A lookalike of the reply's content comes first.
  {
    toData: (content) =>
      `{"x":{"content":"no"},"choices":[${toDelta(JSON.stringify(content), ',"logprobs":{"content":"no"}')}]}`,
  },
  {
    toData: (content) =>
      `{"choices":[{"index":1,"delta":{"content":"other"}},${toDelta(JSON.stringify(content))}]}`,
  },
  {
    toData: (content) =>
      `{"choices":[{"index":0,"delta":{"reasoning":"hm","content":${JSON.stringify(content)}}}]}`,
  },
  { toData: (content) => `{"choices":[{"index":0,"delta":{"reasoning":${JSON.stringify(content)}}}]}` },
  {
    toData: (content) =>
      `{"choices":[{"index":0,"delta":{"content":"${content.length}"}}],"usage":{"prompt_tokens":${content.length},"completion_tokens":2}}`,
  },
  { toData: (content) => `{"choices":[{"delta":{"content":${JSON.stringify(content)},${toCalls('"x"')}}}]}` },
  {
    toData: (content) => `{"choices":[{"delta":{"content":"a",${toCalls(JSON.stringify(`x${content}`))}}}]}`,
  },
  { toData: (content) => `{"choices":[{"delta":{"content":${JSON.stringify(content)},"tool_calls":[]}}]}` },
];

/** Contents that look like the text around them. */
const content = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.constantFrom(
    "",
    '"',
    "\\",
    '\\"',
    '"}}]}',
    '"},"finish_reason":null}]}',
    '"},"finish_reason":"stop"}]}',
    '\n\ndata: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n',
    '"content":"',
    "\u0000\u001F\u2028",
    "ä漢😀",
    "\uD83D",
  ),
);
const event = fc.record({
  kind: fc.constantFrom(...kinds),
  content,
  pad: fc.stringMatching(/^[\w-]{0,6}$/),
  lineEnd: fc.constantFrom("\n", "\n", "\n", "\r\n"),
  space: fc.constantFrom(" ", " ", ""),
  before: fc.constantFrom("", "", "", ": keep-alive\n\n", "id: 7\n", "event: message\n"),
});
/** Mostly runs of one kind, as in real streams. */
const run = fc.record({
  kind: fc.constantFrom(...kinds),
  events: fc.array(event, { maxLength: 8 }),
  isPure: fc.boolean(),
});

interface Reply {
  text: string;
  reasoning: string;
  calls: string[];
  events: number;
  usage: number;
}

/** Reads events one by one, with no regard for speed. */
function readPlainly(all: readonly string[]): Reply {
  const reply: Reply = { text: "", reasoning: "", calls: [], events: all.length, usage: -1 };
  for (const data of all) {
    const { choices, usage } = JSON.parse(data);
    const { delta } = choices.find(({ index = 0 }: { index?: number }) => index === 0);
    reply.text += delta.content ?? "";
    reply.reasoning += delta.reasoning ?? "";
    for (const { function: named } of delta.tool_calls ?? [])
      reply.calls = [`${reply.calls[0] ?? ""}${named.arguments}`];
    reply.usage = Math.max(reply.usage, usage?.prompt_tokens ?? -1);
  }
  return reply;
}

function readStream(bytes: Buffer, lengths: readonly number[]): Reply {
  const reader = new ReplyReader();
  for (const chunk of cutBytes(bytes, lengths)) reader.push(chunk);
  reader.finish();
  reader.end();
  const { stream, text, reasoning, calls } = reader;
  return {
    text,
    reasoning,
    calls: calls.map(({ input }) => input),
    events: stream.events,
    usage: stream.toEnd().usage?.inputTokens ?? -1,
  };
}

const storable = (text: string): string => text.toWellFormed().replaceAll("\0", "\uFFFD");

describe("a stream whose events differ in one string", () => {
  test("reads the same as event by event, whatever it holds and wherever it is cut", () => {
    fc.assert(
      fc.property(
        fc.array(run, { maxLength: 4 }),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(10_000)), {
          minLength: 1,
          maxLength: 4,
        }),
        (runs, lengths) => {
          const all = runs.flatMap(({ kind, events, isPure }) =>
            events.map((each) => (isPure ? { ...each, kind, lineEnd: "\n", space: " ", before: "" } : each)),
          );
          const datas = all.map(({ kind, content: text, pad }) => kind.toData(text, pad));
          const bytes = all.map(
            ({ lineEnd, space, before }, index) =>
              `${before}data:${space}${datas[index]}${lineEnd}${lineEnd}`,
          );
          const expected = readPlainly(datas);
          const { reasoning, ...seen } = readStream(Buffer.from(bytes.join("")), lengths);
          assert.deepEqual(seen, {
            text: storable(expected.text),
            calls: expected.calls.map(storable),
            events: expected.events,
            usage: expected.usage,
          });
          assert.equal(
            reasoning.replaceAll("\uFFFD", ""),
            storable(expected.reasoning).replaceAll("\uFFFD", ""),
          );
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test("is not parsed: once one event of a kind is learned, the next are recognized, even padded ones", () => {
    for (const { toData } of kinds.slice(0, 7)) {
      const template = new EventTemplate();
      let asked = 0;
      template.learn(toData("a", "pad"), (data) => {
        asked += 1;
        return readPlainly([data]).text;
      });
      assert.ok(asked >= 1);
      const next = `data: ${toData('b "quoted" \\ ü', "other-pad")}\n\n`;
      const isKnown = template.read(Buffer.from(next).toString("latin1"), 0);
      if (toData("a", "1") === toData("a", "2") || toData("", "").endsWith('"}')) {
        assert.equal(isKnown, 'b "quoted" \\ ü');
        assert.equal(template.end, Buffer.byteLength(next));
      } else assert.equal(isKnown, undefined, "what varies before the string is another kind");
    }
  });

  test("is learned at the cost of a few parses, however large an event is and however often it holds its content", () => {
    for (const count of [10, 100, 2_000]) {
      const template = new EventTemplate();
      let asked = 0;
      template.learn(`{${`"content":"x",`.repeat(count)}"n":0}`, () => {
        asked += 1;
        return undefined;
      });
      assert.ok(asked <= 8, `${asked}`);
    }
  });

  test("is learned in vain only a limited number of times", () => {
    const template = new EventTemplate();
    let asked = 0;
    for (let index = 0; index < 100; index += 1)
      template.learn(`{"n":${index},"choices":[{"delta":{"content":"x"}}]}`, () => {
        asked += 1;
        return undefined;
      });
    assert.ok(asked <= 8, `${asked}`);
  });
});
