/** The scripted reply: as deltas, as the events of a real API, and as the body that a client must receive. */
import { z } from "zod";

/** One reply. It travels as the text of the last message, so that every peer requests it without knowing. */
export const Script = z.object({
  deltas: z.number(),
  /** Length of each delta of the answer, in characters; 0 uses words as they are. */
  sizeChars: z.number(),
  /** Time between writes; 0 writes as fast as the reader takes them. */
  paceMs: z.number(),
  eventsPerWrite: z.number(),
  /** Time from the request to the first write. */
  firstDelayMs: z.number(),
});
export type Script = z.infer<typeof Script>;

/**
 * The part of it that a peer sends: upstream bytes, text, or text after Foreword's plan and boundary rule.
 */
export type BodyKind = "events" | "text" | "plan";

/** Start of every reply: a listed plan, then a boundary that the rule must rewrite. */
const opening = ["- Look", " it up", "\n- Say it\n", "\n**---RESPONSE---**\n\n", "So"];
/** As costly to parse as real text: mostly ASCII, with some escapes and some multi-byte characters. */
const words = [
  " the",
  " stream",
  " of",
  " tokens",
  ",",
  " naïve",
  " or",
  ' "quoted"',
  ".\n",
  " It",
  " 流れる",
  " on",
];

/** Returns the prompt for `script`. */
export function toPrompt(script: Script): string {
  return JSON.stringify(script);
}

/** Returns the script of a prompt, or a short one for any other text. */
export function parsePrompt(prompt: string): Script {
  const short = { deltas: 8, sizeChars: 0, paceMs: 0, eventsPerWrite: 16, firstDelayMs: 0 };
  return prompt.startsWith("{") ? Script.parse(JSON.parse(prompt)) : short;
}

function toDeltas({ deltas, sizeChars }: Script): readonly string[] {
  return Array.from({ length: deltas }, (_, index) => {
    const word = opening[index] ?? words[index % words.length] ?? "";
    if (sizeChars === 0 || index < opening.length) return word;
    return word.repeat(Math.ceil(sizeChars / word.length)).slice(0, sizeChars);
  });
}

/** Returns one event with the shape and approximate length of OpenAI's. */
function toEvent(choices: readonly object[], usage: object | null): string {
  const chunk = {
    id: "chatcmpl-CgZ3vQx1bW7yJkT0aRfHs5uLdNoEp",
    object: "chat.completion.chunk",
    created: 1_764_000_000,
    model: "gpt-4o-mini-2024-07-18",
    service_tier: "default",
    system_fingerprint: "fp_560af6e559",
    choices,
    usage,
  };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

function toChoice(delta: object, finishReason: string | null): object {
  return { index: 0, delta, logprobs: null, finish_reason: finishReason };
}

/** Returns the events of each write, in order: the first adds the role, the last finish reason and usage. */
export function toWrites(script: Script): readonly string[] {
  const events = toDeltas(script).map((content) => toEvent([toChoice({ content }, null)], null));
  const writes: string[] = [];
  for (let from = 0; from < events.length; from += script.eventsPerWrite)
    writes.push(events.slice(from, from + script.eventsPerWrite).join(""));
  const role = toEvent([toChoice({ role: "assistant", content: "", refusal: null }, null)], null);
  const usage = { prompt_tokens: 64, completion_tokens: script.deltas, total_tokens: 64 + script.deltas };
  const last = `${toEvent([toChoice({}, "stop")], null)}${toEvent([], usage)}data: [DONE]\n\n`;
  return [role + (writes[0] ?? ""), ...writes.slice(1), last];
}

/** Returns the body that a peer of `kind` must send. */
export function toBody(script: Script, kind: BodyKind): Buffer {
  if (kind === "events") return Buffer.from(toWrites(script).join(""));
  const text = toDeltas(script).join("");
  if (kind === "text") return Buffer.from(text);
  // The rule for the one form written above, independent of the server's code.
  const [plan = "", answer = ""] = text.split("**---RESPONSE---**");
  return Buffer.from(`${plan.trim()}\n---RESPONSE---\n${answer.trimStart()}`);
}
