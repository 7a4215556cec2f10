/** The memory of parameters that a model refuses: of values, of bounds, and of pairs. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { error, reply } from "../../../fixtures/model/quirk-builder.ts";
import { json } from "../../../fixtures/model/response-builder.ts";
import { useModel, useStartApp } from "../../../support/apps/use-app.ts";

const fixed = new Set(["model", "messages", "stream", "stream_options"]);

/** Returns a request's parameters. */
function withoutFixed(body: Fields): Fields {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !fixed.has(name)));
}

type Fields = Readonly<Record<string, unknown>>;

describe("a model that refuses parameters", { timeout: 120_000 }, () => {
  const model = useModel();
  const startApp = useStartApp(model, { OPENAI_TEMPERATURE: "" });

  /** Starts an app whose model answers each request with the message that `judge` returns, or replies. */
  async function ask(judge: (body: Fields) => object | undefined) {
    const app = await startApp();
    model.script = (call) => {
      const refusal = judge(call.body);
      if (refusal === undefined) return reply(call);
      return call.head(400, json).end(JSON.stringify(refusal));
    };
    return async (asked: object): Promise<{ status: number; sent: Fields[] }> => {
      model.calls.length = 0;
      const messages = [{ role: "user", content: "Hi" }];
      const { status } = await app.post("/v1/chat/completions", { model: "scripted", messages, ...asked });
      return { status, sent: model.calls.map(({ body }) => withoutFixed(body)) };
    };
  }

  const onlyOne = ({ temperature }: Fields): object | undefined =>
    temperature === undefined || temperature === 1
      ? undefined
      : error(
          `Unsupported value: 'temperature' does not support ${JSON.stringify(temperature)} with this model.`,
          {
            param: "temperature",
            code: "unsupported_value",
          },
        );

  test("for their values gets other values, and no value twice", async () => {
    const post = await ask(onlyOne);
    assert.deepEqual((await post({ temperature: 0.3 })).sent, [{ temperature: 0.3 }, {}]);
    assert.deepEqual((await post({ temperature: 0.3 })).sent, [{}]);
    assert.deepEqual((await post({ temperature: 1 })).sent, [{ temperature: 1 }]);
    for (const temperature of [0.4, 0.5, 0.6, 0.7])
      assert.deepEqual((await post({ temperature })).sent, [{ temperature }, {}]);
    assert.deepEqual((await post({ temperature: 1 })).sent, [{ temperature: 1 }]);
  });

  test("for three values, and has taken none, gets no further value", async () => {
    const post = await ask(onlyOne);
    for (const temperature of [0.3, 0.4, 0.5]) assert.equal((await post({ temperature })).sent.length, 2);
    assert.deepEqual((await post({ temperature: 0.6 })).sent, [{}]);
  });

  for (const [parameter, refused, taken, sentence] of [
    ["temperature", [1.2, 1.5, 1.8, 2], 0.3, "temperature must be less than or equal to 1"],
    ["temperature", [1.2, 1.5, 1.8, 2], 0.3, "temperature: range: 0..1, out of range"],
    ["top_p", [0.1, 0.2, 0.3], 0.9, "`top_p` must be between 0.5 and 1"],
    ["reasoning_effort", ["hard", "quick", "x"], "low", "Supported values are: 'low', 'medium', and 'high'."],
    ["verbosity", ["loud", "mute", "x"], "low", "verbosity: Input should be 'low', 'medium' or 'high'"],
  ] as const)
    test(`for three values of ${parameter} with "${sentence}" still gets the values that it takes`, async () => {
      const post = await ask((body) =>
        body[parameter] === undefined || body[parameter] === taken
          ? undefined
          : error(sentence, { param: parameter, code: "invalid_value" }),
      );
      for (const value of refused) assert.equal((await post({ [parameter]: value })).sent.length, 2);
      assert.deepEqual((await post({ [parameter]: taken })).sent, [{ [parameter]: taken }]);
    });

  test("for three values, and took one before, still gets the values that it takes", async () => {
    const post = await ask(onlyOne);
    await post({ temperature: 1 });
    for (const temperature of [0.3, 0.4, 0.5]) assert.equal((await post({ temperature })).sent.length, 2);
    assert.deepEqual((await post({ temperature: 1 })).sent, [{ temperature: 1 }]);
  });

  test("for a word in capital letters gets it in small ones", async () => {
    const post = await ask(({ verbosity }) =>
      verbosity === undefined || verbosity === "low"
        ? undefined
        : error("verbosity: Supported values are: 'low', 'medium', and 'high'.", { param: "verbosity" }),
    );
    assert.deepEqual((await post({ verbosity: "LOW" })).sent, [{ verbosity: "LOW" }, { verbosity: "low" }]);
  });

  test("one after the other is asked again for each, and then never refuses", async () => {
    const post = await ask((body) => {
      const name = ["seed", "top_p", "verbosity", "top_k"].find((each) => body[each] !== undefined);
      return name === undefined ? undefined : error(`Unknown parameter: '${name}'.`, { param: name });
    });
    const asked = { seed: 1, top_p: 0.5, verbosity: "low", top_k: 3, user: "u", max_tokens: 9 };
    const { status, sent } = await post(asked);
    assert.deepEqual([status, sent.length, sent.at(-1)], [200, 5, { max_tokens: 9 }]);
    assert.deepEqual((await post(asked)).sent, [{ max_tokens: 9 }]);
  });

  test("without end is not asked without end", async () => {
    const post = await ask((body) => error(`Unsupported parameter: ${Object.keys(body).join(" ")}`));
    const asked = { seed: 1, top_p: 0.5, verbosity: "low", max_tokens: 9, stop: "x" };
    const { status, sent } = await post(asked);
    assert.equal(status, 400);
    assert.ok(sent.length <= 13, String(sent.length));
    model.script = reply;
    assert.deepEqual((await post(asked)).sent, [asked]);
  });

  test("by the name of a bound gets the stricter of two under the name that it takes", async () => {
    const post = await ask(({ max_tokens: bound }) =>
      bound === undefined
        ? undefined
        : error("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."),
    );
    const asked = { max_tokens: 5, max_completion_tokens: 50 };
    assert.deepEqual((await post(asked)).sent, [asked, { max_completion_tokens: 5 }]);
    assert.deepEqual((await post({ max_tokens: 7 })).sent, [{ max_completion_tokens: 7 }]);
  });

  test("under both names of a bound refuses the client's request, and neither name is remembered", async () => {
    const isBound = (name: string): boolean => name.startsWith("max_");
    const post = await ask((body) => {
      const name = Object.keys(body).find(isBound);
      return name === undefined ? undefined : error(`Unsupported parameter: '${name}'`, { param: name });
    });
    const { status, sent } = await post({ max_tokens: 5 });
    assert.deepEqual([status, sent], [400, [{ max_tokens: 5 }, { max_completion_tokens: 5 }]]);
    assert.deepEqual((await post({ max_tokens: 5 })).sent[0], { max_tokens: 5 });
  });

  test("for the size of a bound refuses the client's request: the bound is neither renamed nor left out", async () => {
    const post = await ask(() =>
      error("max_tokens is too large: 99999. This model supports at most 16384 completion tokens.", {
        param: "max_tokens",
        code: "invalid_value",
      }),
    );
    assert.deepEqual(await post({ max_tokens: 99_999 }), { status: 400, sent: [{ max_tokens: 99_999 }] });
  });

  test("beside one another is sent each alone", async () => {
    const post = await ask(({ temperature, top_p: topP }) =>
      temperature === undefined || topP === undefined
        ? undefined
        : error("`temperature` and `top_p` cannot both be specified for this model. Please use only one."),
    );
    assert.deepEqual((await post({ temperature: 0.4, top_p: 0.5 })).sent.at(-1), { temperature: 0.4 });
    assert.deepEqual((await post({ temperature: 0.4, top_p: 0.5 })).sent, [{ temperature: 0.4 }]);
    assert.deepEqual((await post({ top_p: 0.5 })).sent, [{ top_p: 0.5 }]);
  });

  test("in camelCase, like xAI, is understood", async () => {
    const post = await ask((body) =>
      body["frequency_penalty"] === undefined
        ? undefined
        : {
            code: "Client specified an invalid argument",
            error: "Argument not supported on this model: frequencyPenalty",
          },
    );
    assert.deepEqual((await post({ frequency_penalty: 1 })).sent.at(-1), {});
  });

  test("of its own client's wish, beside a plan, refuses the request with request_refused", async () => {
    const app = await startApp();
    model.script = (call) =>
      call
        .head(400, json)
        .end(JSON.stringify(error("Unsupported parameter: 'response_format'", { param: "response_format" })));
    const messages = [{ role: "user", content: "Hi" }];
    const { status, body } = await app.post("/v1/chat/completions", {
      model: "scripted+plan",
      messages,
      response_format: { type: "json_object" },
    });
    assert.deepEqual([status, JSON.parse(body).error.code], [400, "request_refused"]);
  });

  test("in an endless or hostile text is read in time", async () => {
    for (const text of ["one of ".repeat(200_000), "'x".repeat(500_000), 'Unknown name "'.repeat(80_000)]) {
      const post = await ask(({ seed }) => (seed === undefined ? undefined : error(text)));
      assert.equal((await post({ seed: 1 })).status, 400);
    }
  });
});

describe("a model that refuses system messages", () => {
  const model = useModel();
  const startApp = useStartApp(model);

  /** Whether a request has a system message. */
  const hasSystem = (messages: readonly { role: string }[]): boolean =>
    messages.some(({ role }) => role === "system");

  test("gets their text with the first user message, images and later messages as they are", async () => {
    const app = await startApp();
    model.calls.length = 0;
    model.script = (call) =>
      hasSystem(call.body.messages)
        ? call.head(500, json).end(JSON.stringify(error("... raise_exception('System role not supported')")))
        : call.text("- p\n---RESPONSE---\nSo.").finish();
    const image = { inlineData: { mimeType: "image/gif", data: "R0lGODlhAQABAAAAACw=" } };
    const messages = [
      { sender: "system", text: "Rhyme." },
      { sender: "user", text: "Look", images: [image] },
      { sender: "assistant", text: "Nice." },
      { sender: "user", text: "More" },
    ];
    for (const count of [2, 3]) {
      assert.equal((await app.post("/stream-chat", { messages })).status, 200);
      assert.equal(model.calls.length, count);
      const [first, ...others] = model.calls.at(-1)?.body.messages ?? [];
      assert.match(JSON.stringify(first), /^\{"role":"user","content":\[\{"type":"text","text":"Before you/);
      assert.match(JSON.stringify(first), /Rhyme\."\},\{"type":"text","text":"Look"\},\{"type":"image_url"/);
      assert.deepEqual(
        others.map(({ role, content }) => [role, content]),
        [
          ["assistant", "Nice."],
          ["user", "More"],
        ],
      );
    }
  });

  test("refuses a client's own on /v1: they are sent to the letter", async () => {
    const app = await startApp();
    model.script = (call) => call.head(400, json).end(JSON.stringify(error("System role not supported")));
    const messages = [
      { role: "system", content: "Rhyme." },
      { role: "user", content: "Hi" },
    ];
    const { status, body } = await app.post("/v1/chat/completions", { model: "scripted", messages });
    assert.deepEqual([status, JSON.parse(body).error.code], [400, "request_refused"]);
  });
});

describe("the fields reasoning_effort and verbosity", () => {
  const model = useModel();
  const startApp = useStartApp(model);

  for (const [path, chat] of [
    ["/stream-chat", { messages: [{ sender: "user", text: "Hi" }] }],
    ["/api/chat", { id: "c", messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }] }],
  ] as const)
    test(`reach the model through ${path}, and are checked`, async () => {
      const app = await startApp();
      model.calls.length = 0;
      await app.post(path, { ...chat, reasoning_effort: "minimal", verbosity: "high" });
      await app.post(path, { ...chat, reasoning_effort: "", verbosity: null });
      assert.deepEqual(
        model.calls.map(({ body }) => [body["reasoning_effort"], body["verbosity"]]),
        [
          ["minimal", "high"],
          [undefined, undefined],
        ],
      );
      for (const wrong of [5, "so much\n", "x".repeat(33), { effort: "low" }]) {
        const { status, body } = await app.post(path, { ...chat, reasoning_effort: wrong });
        assert.equal(status, 400);
        assert.match(body, /reasoning_effort: /);
      }
    });
});
