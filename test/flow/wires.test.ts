/** One turn on every wire: clients of all protocols understand the same. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { arbitraryCutting, arbitraryReply, cut } from "../support/model/arbitrary-reply.ts";
import { type ScriptedCall } from "../support/model/scripted-model.ts";
import { readResponse, type AppResponse } from "../support/apps/start-app.ts";
import {
  readChunks,
  readCompletion,
  readJson,
  readPlainText,
  readResponse as readStreamedResponse,
  readRun,
  readTypedEvents,
  readUiMessages,
  type Understood,
} from "../support/clients/wire-readers.ts";
import { toStreamEvents, type StreamEvent } from "../support/clients/stream-events.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";
import { pickCount } from "../support/process/thoroughness.ts";
import { useTools } from "./tools/use-tools.ts";

const question = { messages: [{ sender: "user", text: "Hi" }] };
const uiQuestion = { messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "Hi" }] }] };
const completion = { model: "scripted+plan", messages: [{ role: "user", content: "Hi" }] };
/** Tools that the client runs, in the form that every wire takes. */
const tools = ["look", "count"].map((name) => ({ type: "function", function: { name } }));
const arbitraryCalls = fc.array(
  fc.record({ name: fc.constantFrom("look", "count"), input: fc.dictionary(fc.string(), fc.jsonValue()) }),
  { maxLength: 3 },
);
/** Arguments without the keys that no JSON of the AI SDK may have. */
const arbitraryInput = fc
  .dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.jsonValue())
  .filter((input) => !/__proto__|constructor/.test(JSON.stringify(input)));
type Calls = typeof arbitraryCalls extends fc.Arbitrary<infer Value> ? Value : never;

/** How a model's stream ends. */
const endings = ["stop", "length", "content_filter", "cut", "error"] as const;

describe("one turn on every wire", { timeout: 240_000 }, () => {
  const model = useModel();
  const app = useApp(model, {
    ON_DISCONNECT: "continue",
    // Otherwise one of the random replies could change how the next is read.
    MODEL_OPENS_REASONING: "no",
  });

  /** Makes the model send `pieces` and `calls` with that ending to every request from now on. */
  function script(pieces: readonly string[], ending: (typeof endings)[number], calls: Calls = []): void {
    model.script = (call) => play(call, pieces, ending, calls);
  }

  async function resume(turnId: string, after_: number, accept: string): Promise<AppResponse> {
    return await app.get(`/turns/${turnId}/stream?after=${after_}`, { accept });
  }

  test("each wire's own request gets the same plan, answer, tool calls and outcome, from any text, cutting and end", async () => {
    const property = fc.asyncProperty(
      arbitraryReply,
      arbitraryCutting,
      fc.constantFrom(...endings),
      arbitraryCalls,
      async (text, lengths, ending, calls) => {
        script(cut(text, lengths), ending, calls);
        const typed = { accept: "text/event-stream" };
        const json = { accept: "application/json" };
        const expected = readTypedEvents(await app.post("/stream-chat", { ...question, tools }, typed));
        const understood: Record<string, Understood> = {
          json: readJson(await app.post("/stream-chat", { ...question, tools }, json)),
          ui: await readUiMessages(await app.post("/api/chat", { id: randomUUID(), ...uiQuestion, tools })),
          chunks: await readChunks(
            await app.post("/v1/chat/completions", { ...completion, tools, stream: true }),
          ),
          responses: await readStreamedResponse(
            await app.post("/v1/responses", {
              model: "scripted+plan",
              input: "Hi",
              tools: tools.map(({ type, function: { name } }) => ({
                type,
                name,
                parameters: null,
                strict: null,
              })),
              stream: true,
            }),
          ),
          run: await readRun(
            await app.post("/ag-ui", {
              threadId: randomUUID(),
              runId: randomUUID(),
              messages: [{ id: "m", role: "user", content: "Hi" }],
              tools: tools.map(({ function: { name } }) => ({ name })),
            }),
          ),
          plain: readPlainText(await app.post("/stream-chat", { ...question, tools })),
        };
        for (const [wire, found] of Object.entries(understood))
          assert.deepEqual(
            toRun(found),
            wire === "plain" ? { ...toRun(expected), calls: [] } : toRun(expected),
            wire,
          );
        const whole = readCompletion(await app.post("/v1/chat/completions", { ...completion, tools }));
        const { outcome, code } = expected;
        const failed = { plan: "", answer: "", outcome, code, calls: [] };
        assert.deepEqual(whole, code === undefined ? expected : failed);
      },
    );
    await fc.assert(property, { numRuns: pickCount(20, 40) });
  });

  test("one turn that runs, is stopped at any moment or ends, is the same for all its followers, live and later", async () => {
    const property = fc.asyncProperty(
      arbitraryReply,
      arbitraryCutting,
      fc.constantFrom(...endings, "stopped" as const),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (text, lengths, ending, share) => {
        const turnId = randomUUID();
        const next = model.nextCall();
        const asked = app.post("/api/chat", { id: turnId, ...uiQuestion }, { "x-turn-id": turnId });
        const call = await next;
        // Two of its followers get the turn's start; the third gets nothing before there is text.
        const [typed, ui] = await Promise.all([
          app.open("GET", `/turns/${turnId}/stream`, undefined, { accept: "text/event-stream" }),
          app.open("GET", `/api/chat/${turnId}/stream`),
        ]);
        const followers = [
          app.get(`/turns/${turnId}/stream`).then(readPlainText),
          readResponse(typed).then((answer) => readTypedEvents(answer)),
          readResponse(ui).then(readUiMessages),
        ];
        if (ending !== "stopped") {
          script(cut(text, lengths), ending); // of a second attempt
          play(call, cut(text, lengths), ending);
        } else {
          call.head();
          for (const piece of cut(text, lengths)) call.text(piece);
          await app.post(`/turns/${turnId}/stop`, {});
        }
        const expected = await readUiMessages(await asked);
        const plain = {
          ...expected,
          outcome: expected.outcome === "stopped" ? "complete" : expected.outcome,
        };
        const [first, second, third] = await Promise.all(followers);
        assert.deepEqual([first, second, third], [plain, expected, expected]);
        assert.deepEqual(readJson(await app.get(`/turns/${turnId}`)), expected);
        assert.deepEqual(readPlainText(await resume(turnId, 0, "*/*")), plain);
        // Resumed as typed events from between any two characters of the plain-text body.
        const body = Buffer.from((await resume(turnId, 0, "*/*")).body);
        let from = Math.floor(share * body.length);
        while (from > 0 && ((body[from] ?? 0) & 0xc0) === 0x80) from -= 1;
        const head = expected.plan === "" && expected.answer === "" ? 0 : Buffer.byteLength(expected.plan);
        if (from > head && from < head + 16) from = head;
        from = Math.min(from, Buffer.byteLength(toBody(expected)));
        const rest = readTypedEvents(await resume(turnId, from, "text/event-stream"), from);
        const seen = Buffer.from(toBody(expected)).subarray(from).toString();
        // From the boundary on, the rest may have neither plan nor answer.
        const told =
          seen === "" || from > head ? rest.answer : `${rest.plan}\n---RESPONSE---\n${rest.answer}`;
        assert.deepEqual([told, rest.outcome], [seen, expected.outcome]);
      },
    );
    await fc.assert(property, { numRuns: pickCount(20, 40) });
  });
});

/** A call that the server ran, and the text of its result. */
interface RunCall {
  readonly name: unknown;
  readonly input: unknown;
  readonly output: unknown;
}

const McpResult = z.object({ content: z.tuple([z.object({ text: z.string() })]) });
const State = z.object({
  tools: z.tuple([z.object({ name: z.string(), input: z.string(), output: McpResult })]),
});
const McpCall = z.object({
  type: z.literal("mcp_call"),
  server_label: z.string(),
  name: z.string(),
  arguments: z.string(),
  output: z.string(),
});

/** How each wire shows a call that the server ran; Chat Completions and plain text show none. */
const shownCalls: Readonly<Record<string, (body: string) => RunCall>> = {
  typed: (body) => {
    const [call, result] = findEvents(body, "tool-call", "tool-result");
    return {
      name: call?.["name"],
      input: JSON.parse(String(call?.["input"])),
      output: toText(result?.["output"]),
    };
  },
  json: (body) => {
    const [{ name, input, output }] = State.parse(JSON.parse(body)).tools;
    return { name, input: JSON.parse(input), output: toText(output) };
  },
  ui: (body) => {
    const [call, result] = findEvents(body, "tool-input-available", "tool-output-available");
    return { name: call?.["toolName"], input: call?.["input"], output: toText(result?.["output"]) };
  },
  responses: (body) => {
    const items = readEvents(body).flatMap((event) => McpCall.safeParse(event["item"]).data ?? []);
    const { server_label: server, name, arguments: input, output } = items.at(-1) ?? assert.fail(body);
    return { name: `${server}__${name}`, input: JSON.parse(input), output };
  },
  run: (body) => {
    const [call, result] = findEvents(body, "TOOL_CALL_START", "TOOL_CALL_RESULT");
    const pieces = readEvents(body).filter(({ type }) => type === "TOOL_CALL_ARGS");
    const input: unknown = JSON.parse(pieces.map(({ delta }) => String(delta)).join(""));
    return { name: call?.["toolCallName"], input, output: toText(JSON.parse(String(result?.["content"]))) };
  },
};

/** Returns the events of a stream, without the line that ends it on some wires. */
function readEvents(body: string): readonly StreamEvent[] {
  return toStreamEvents(body.replace("data: [DONE]\n\n", ""));
}

function findEvents(body: string, ...types: readonly string[]): readonly (StreamEvent | undefined)[] {
  const events = readEvents(body);
  return types.map((type) => events.find((event) => event.type === type));
}

function toText(output: unknown): string {
  return McpResult.parse(output).content[0].text;
}

describe("a tool that the server runs", { timeout: 120_000 }, () => {
  const model = useModel();
  const toolServer = useTools("suite");
  const app = useApp(model, () => ({ ...toolServer.variables }));
  const requests: Readonly<Record<string, () => Promise<AppResponse>>> = {
    typed: () => app.post("/stream-chat", question, { accept: "text/event-stream" }),
    json: () => app.post("/stream-chat", question, { accept: "application/json" }),
    ui: () => app.post("/api/chat", { id: randomUUID(), ...uiQuestion }),
    responses: () => app.post("/v1/responses", { model: "scripted+plan", input: "Hi", stream: true }),
    run: () =>
      app.post("/ag-ui", {
        threadId: randomUUID(),
        runId: randomUUID(),
        messages: [{ id: "m", role: "user", content: "Hi" }],
      }),
  };

  test("is the same call with the same result on each wire that shows it, whatever they hold", async () => {
    const property = fc.asyncProperty(
      arbitraryInput,
      // Of no text, Responses says so in words.
      fc.string({ unit: "grapheme" }).filter((text) => text.trim() !== ""),
      async (input, output) => {
        toolServer.say(output);
        for (const [wire, ask] of Object.entries(requests)) {
          model.inOrder(
            (call) => call.text("- Look\n").toolCall("w__look", input).finish("tool_calls"),
            (call) => call.text("---RESPONSE---\nSo.").finish(),
          );
          const { body } = await ask();
          const shown = shownCalls[wire]?.(body);
          assert.deepEqual(
            shown,
            { name: "w__look", input: JSON.parse(JSON.stringify(input)), output },
            wire,
          );
        }
      },
    );
    await fc.assert(property, { numRuns: pickCount(10, 40) });
  });
});

/** Without the calls of a reply that failed, which no client runs, and which some wires leave out. */
function toRun(understood: Understood): Understood {
  return understood.code === undefined ? understood : { ...understood, calls: [] };
}

/** Sends `pieces` and `calls` with that ending. */
function play(
  call: ScriptedCall,
  pieces: readonly string[],
  ending: (typeof endings)[number],
  calls: Calls = [],
): void {
  call.head();
  for (const piece of pieces) call.text(piece);
  for (const { name, input } of calls) call.toolCall(name, input);
  if (ending === "cut") call.end();
  else if (ending === "error") call.event({ error: { message: "no" } }).end();
  else call.finish(ending);
}

/** Returns the plain-text body of an understood turn. */
function toBody({ plan, answer }: Understood): string {
  return plan === "" && answer === "" ? "" : `${plan}\n---RESPONSE---\n${answer}`;
}
