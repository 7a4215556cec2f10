/**
 * Replies that are a pure function of the message they answer, and a model server that sends them at a pace.
 */
import { hash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { ScriptedModel, type ScriptedCall } from "./scripted-model.ts";

const boundary = "\n---RESPONSE---\n";
/** The time from one piece of a reply to the next. */
const paceMs = 20;
const words = [
  "so ",
  "it ",
  "ä",
  "é",
  "漢字",
  "😀",
  "👩‍👩‍👧",
  "\n",
  "\n\n",
  "- ",
  "**",
  "---RESPONSE---",
  boundary,
  "[error] ",
];

/** Pseudo-random numbers: the same for the same seed. */
export class SeededRandom {
  #state: number;

  constructor(seed: string) {
    this.#state = Number.parseInt(hash("sha256", seed).slice(0, 8), 16);
  }

  /** A whole number from `min` to `max`. */
  integer(min: number, max: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    const fraction = ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    return min + Math.floor(fraction * (max - min + 1));
  }

  /** True once in `count` times. */
  isOneIn(count: number): boolean {
    return this.integer(1, count) === 1;
  }
}

/** A reply as the model sends it, and as the server must send it. */
export interface SeededReply {
  readonly bytes: Buffer;
  /** The model's pieces. */
  readonly pieces: readonly string[];
}

/** Returns a message whose reply has about `count` pieces, one every 20 ms. */
export function toSeededPrompt(name: string, count: number): string {
  return `${name}, in ${count} pieces`;
}

/**
 * Returns the reply to `prompt`: a plan, the boundary, and a multi-byte answer that holds more boundaries.
 */
export function toSeededReply(prompt: string): SeededReply {
  const random = new SeededRandom(prompt);
  const count = Number(/in (\d+) pieces$/.exec(prompt)?.[1] ?? 10);
  const say = (length: number): string =>
    Array.from({ length }, () => words[random.integer(0, words.length - 1)] ?? "").join("");
  const plan = Array.from(
    { length: random.integer(1, 3) },
    (_, index) => `- Step ${index}: déjà vu 漢😀`,
  ).join("\n");
  const pieces = cutAtRandom(plan + boundary, random);
  pieces.push(`Yes ${hash("sha256", prompt).slice(0, 8)} `);
  while (pieces.length < count - 1) pieces.push(say(random.integer(1, 8)));
  pieces.push("Fin。");
  return { bytes: Buffer.from(pieces.join("")), pieces };
}

function cutAtRandom(text: string, random: SeededRandom): string[] {
  const characters = Array.from(text);
  const pieces: string[] = [];
  while (characters.length > 0) pieces.push(characters.splice(0, random.integer(1, 12)).join(""));
  return pieces;
}

/** A reply in progress. */
export class SeededCall {
  readonly reply: SeededReply;
  readonly call: ScriptedCall;
  /** Up to which position text had been sent, and when, in order. */
  readonly #sent: { readonly position: number; readonly atMs: number }[] = [];
  #next = 0;
  #position = 0;

  constructor(reply: SeededReply, call: ScriptedCall) {
    this.reply = reply;
    this.call = call;
  }

  /** Sends the next piece; returns whether there are more. */
  advance(): boolean {
    const piece = this.reply.pieces[this.#next];
    if (piece === undefined) {
      this.call.finish();
      return false;
    }
    this.#next += 1;
    this.#position += Buffer.byteLength(piece);
    this.call.text(piece);
    this.#sent.push({ position: this.#position, atMs: performance.now() });
    return true;
  }

  /** The age, at `atMs`, of the oldest text sent from `position` on; 0 if there is none. */
  ageAfter(position: number, atMs: number): number {
    const lost = this.#sent.find((sent) => sent.position > position);
    return lost === undefined ? 0 : Math.max(0, atMs - lost.atMs);
  }
}

/** A model server that sends each request the reply to its last message. */
export class SeededModel {
  /** The calls, by the message they reply to. */
  readonly calls = new Map<string, SeededCall[]>();
  readonly #model: ScriptedModel;
  readonly #running = new Set<SeededCall>();
  readonly #ticked = new EventEmitter();
  readonly #pace: NodeJS.Timeout;

  private constructor(model: ScriptedModel) {
    this.#model = model;
    model.script = (call) => this.#take(call);
    this.#pace = setInterval(() => this.#tick(), paceMs);
    this.#ticked.setMaxListeners(0);
  }

  /** Starts one on a free port; close it with {@link close}. */
  static async start(): Promise<SeededModel> {
    return new SeededModel(await ScriptedModel.start());
  }

  /** The settings of a server that uses this model. */
  get variables(): Record<string, string> {
    return { OPENAI_BASE_URL: this.#model.url, OPENAI_MODEL: "seeded" };
  }

  /** Resolves after `count` more ticks: each sends one piece of every reply in progress. */
  async ticks(count: number): Promise<void> {
    for (let left = count; left > 0; left -= 1) await once(this.#ticked, "tick");
  }

  /** Resolves with the first request for the reply to `prompt`, now or later. */
  async called(prompt: string): Promise<SeededCall> {
    for (;;) {
      const [call] = this.calls.get(prompt) ?? [];
      if (call !== undefined) return call;
      await once(this.#ticked, "tick");
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#pace);
    await this.#model.close();
  }

  #take(call: ScriptedCall): void {
    const prompt = String(call.body.messages.at(-1)?.content);
    const seeded = new SeededCall(toSeededReply(prompt), call);
    this.calls.set(prompt, [...(this.calls.get(prompt) ?? []), seeded]);
    this.#running.add(seeded);
    void call.closed.then(() => this.#running.delete(seeded));
  }

  #tick(): void {
    for (const call of this.#running) if (!call.advance()) this.#running.delete(call);
    this.#ticked.emit("tick");
  }
}
