/** The built-in model of the demo mode: honest, deterministic, and paced like a real one. */
import { toReadChars } from "../turn/context/read-chars.ts";
import { hasInstruction, type Prompt } from "../turn/instructions.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { CallOptions, Model, ModelCall, ModelSink } from "../turn/ports.ts";
import { OpenedReasoning } from "../turn/reply/opened-reasoning.ts";

/** From one word to the next, in milliseconds. */
const paceMs = 20;
const maxEchoLength = 300;

const plan = `- Read your message
- Answer with what a built-in demo can say
- Tell how to connect a real model`;

const setup = `To connect a real model, set these in the environment or in a file called .env, and start Foreword again:
- OpenAI: OPENAI_API_KEY and OPENAI_MODEL
- Ollama or any other OpenAI-compatible server: OPENAI_BASE_URL (like http://localhost:11434/v1) and OPENAI_MODEL`;

/** A model that needs no key and no network. */
export class DemoModel implements Model {
  readonly name = "demo";
  readonly maxReadChars = toReadChars(undefined, undefined);
  readonly openedReasoning = new OpenedReasoning("no");
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  toMaxTokens(): undefined {}

  complete(prompt: Prompt, sink: ModelSink, { meter }: CallOptions = {}): ModelCall {
    const words = toReply(prompt, this.#clock.now()).match(/\S+\s*/g) ?? [];
    let next = 0;
    let timer: Timer | undefined;
    const tick = (): void => {
      const word = words[next];
      next += 1;
      if (word === undefined) return sink.end({ finishReason: "stop", model: this.name, usage: undefined });
      timer = this.#clock.after(paceMs, tick);
      meter?.chunk();
      sink.text(word);
    };
    timer = this.#clock.after(paceMs, tick);
    return { abort: () => timer?.cancel() };
  }

  async close(): Promise<void> {}
}

function toReply(prompt: Prompt, now: Date): string {
  const chat = prompt.kind === "chat" ? prompt.messages : prompt.chat;
  const questions = chat.filter(({ role }) => role === "user");
  const last = questions.at(-1);
  const asked = last?.text ?? "";
  const parts = [
    ...(hasInstruction(prompt) ? [`${plan}\n---RESPONSE---`] : []),
    "I am Foreword's built-in demo: no language model is connected, so I can only repeat and point the way.",
  ];
  if (asked !== "") parts.push(`You wrote:\n> ${toEcho(asked)}`);
  if (last !== undefined && last.images.length > 0)
    parts.push(`You sent ${last.images.length} image(s), which I cannot see.`);
  if (questions.length > 1)
    parts.push(`That was your message number ${questions.length} in this conversation.`);
  if (/\b(?:date|day|today|time|year)\b/i.test(asked)) parts.push(`It is ${toDate(now)}.`);
  return [...parts, setup].join("\n\n");
}

function toEcho(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  const characters = Array.from(line.slice(0, 2 * maxEchoLength + 2));
  return characters.length > maxEchoLength
    ? `${characters.slice(0, maxEchoLength).join("")}…`
    : characters.join("");
}

function toDate(now: Date): string {
  const date = now.toLocaleDateString("en-GB", { dateStyle: "full", timeZone: "UTC" });
  return `${date}, ${now.toISOString().slice(11, 16)} UTC`;
}
