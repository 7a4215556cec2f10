import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fitPrompt, type ChatPrompt, type FittedPrompt } from "../../../src/turn/context/fit-prompt.ts";
import type { Message } from "../../../src/turn/message.ts";
import type { ToolPart } from "../../../src/turn/items/tool.ts";

const words = "ships and coal and soup ".repeat(20); // about 100 tokens, 480 bytes
const picture = { mimeType: "image/png", data: "AAAA" } as const;

function user(text: string, images = 0): Message {
  return { role: "user", text, images: Array.from({ length: images }, () => picture) };
}

function reply(text: string, tools?: readonly ToolPart[]): Message {
  return { role: "assistant", text, images: [], isAnswer: true, ...(tools !== undefined && { tools }) };
}

function called(step: number, output: string): ToolPart {
  const part = { callId: `c${step}`, name: "look", runsOn: "server", step, at: 0, input: "{}" } as const;
  return { ...part, outcome: { status: "complete", output } };
}

function promptOf(messages: readonly Message[]): ChatPrompt {
  return { kind: "chat", instruction: "Answer.", messages, parameters: {} };
}

/** Fits a chat into a window of so many tokens. */
function fit(messages: readonly Message[], windowTokens: number): FittedPrompt {
  const limits = { inputTokens: windowTokens, ratio: 1, gridBytes: windowTokens, imageTokens: 1_000 };
  const prompt = promptOf(messages);
  return (
    fitPrompt(prompt, limits) ?? {
      prompt,
      context: { messagesLeftOut: 0, imagesLeftOut: 0, resultsLeftOut: 0 },
      isTooLong: false,
    }
  );
}

/** A chat of so many answered questions, and one more. */
function chatOf(turns: number, toReply: (turn: number) => Message, images = 0): Message[] {
  const answered = Array.from({ length: turns }, (_, turn) => [
    user(`Q${turn} ${words}`, images),
    toReply(turn),
  ]).flat();
  return [...answered, user("Now?")];
}

describe("fitPrompt", () => {
  test("leaves out old images before any result or message, and keeps the new ones", () => {
    const { prompt, context } = fit(
      chatOf(40, () => reply(words), 1),
      16_000,
    );
    assert.equal(context.messagesLeftOut, 0);
    assert.ok(context.imagesLeftOut > 0 && context.imagesLeftOut < 40, JSON.stringify(context));
    assert.match(prompt.messages[0]?.text ?? "", /\[An image or file of this message was left out/);
    assert.equal(prompt.messages.at(-3)?.images.length, 1);
  });

  test("leaves out long results of old calls before any message, each with its call", () => {
    const output = "a line of a log ".repeat(60);
    const chat = chatOf(40, () => reply(words, [called(0, output), called(0, "short")]));
    const { prompt, context } = fit(chat, 14_000);
    assert.equal(context.messagesLeftOut, 0);
    assert.ok(context.resultsLeftOut > 0 && context.resultsLeftOut < 40, JSON.stringify(context));
    const [first, second] = prompt.messages[1]?.tools ?? [];
    assert.match(JSON.stringify(first?.outcome), /left out/);
    assert.equal(second?.outcome?.output, "short");
    assert.equal(prompt.messages.at(-2)?.tools?.[0]?.outcome?.output, output);
  });

  test("starts with a question and keeps system messages, whatever is cut", () => {
    const rules: Message = { role: "system", text: "Rules", images: [] };
    for (let turns = 5; turns < 90; turns += 1) {
      const { prompt, context } = fit([rules, ...chatOf(turns, () => reply(words))], 4_000);
      assert.equal(prompt.messages[0]?.text, "Rules");
      assert.equal(prompt.messages[1]?.role, "user");
      assert.equal(prompt.messages.length + context.messagesLeftOut, turns * 2 + 2);
      assert.equal(prompt.messages.at(-1)?.text, "Now?");
    }
  });

  test("cuts a path that was read from its middle like the whole one", () => {
    const whole = chatOf(60, () => reply(words));
    let bytes = 0;
    const counted = whole.map((message) => {
      const before = bytes;
      bytes += Buffer.byteLength(message.text.trim());
      return { ...message, pathBytes: before };
    });
    const texts = ({ prompt }: FittedPrompt): readonly string[] => prompt.messages.map(({ text }) => text);
    for (const windowTokens of [3_000, 4_000, 5_000])
      assert.deepEqual(texts(fit(counted.slice(40), windowTokens)), texts(fit(whole, windowTokens)));
  });

  test("shortens the results of a turn's own earlier steps last, and says if that is not enough", () => {
    const output = "a line of a log ".repeat(500);
    const steps = [user("Look"), reply("", [called(0, output), called(1, output), called(2, output)])];
    const { prompt, context, isTooLong } = fit(steps, 4_000);
    assert.deepEqual([context.resultsLeftOut, isTooLong], [2, false]);
    assert.equal(prompt.messages[1]?.tools?.[2]?.outcome?.output, output);
    assert.equal(fit([user(words.repeat(50))], 4_000).isTooLong, true);
  });

  test("measures nothing in a chat that surely fits", () => {
    const limits = { inputTokens: 100_000, ratio: 1, gridBytes: 100_000, imageTokens: 1_000 };
    assert.equal(fitPrompt(promptOf(chatOf(10, () => reply(words))), limits), undefined);
  });
});
