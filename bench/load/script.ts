/** Owns what the scripted upstream says: a reply as deltas, as the events of a real API, and as the body a client must get. */
import { z } from "zod";

/** One reply. It travels as the last message's text, so that every peer asks for it without knowing of it. */
export const Script = z.object({
  deltas: z.number(),
  /** How long each delta of the answer is, in characters; 0 takes words as they are. */
  sizeChars: z.number(),
  /** The time from one write to the next; 0 is as fast as they are taken. */
  paceMs: z.number(),
  eventsPerWrite: z.number(),
  /** The time from the request to the first write. */
  firstDelayMs: z.number(),
});
export type Script = z.infer<typeof Script>;

/** What a peer sends for it: the upstream's bytes, its text, or its text after Foreword's rule for plan and boundary. */
export type BodyKind = "events" | "text" | "plan";

/** How every reply starts: a listed plan, then a boundary that the rule has to make its own. */
const opening = ["- Look", " it up", "\n- Say it\n", "\n**---RESPONSE---**\n\n", "So"];
/** As dear to parse as real text: mostly ASCII, with some escapes and some characters of several bytes. */
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

/** Returns the text to ask for `script` with. */
export function toPrompt(script: Script): string {
  return JSON.stringify(script);
}

/** Returns the script that a prompt asks for, or a short one for any other text. */
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

/** Returns one event, shaped and about as long as OpenAI's. */
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

/** Returns the events of each write, in order: the first has the role too, the last says why and what it took. */
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
  // The rule, said once more and in other words than the server's, for the one form that is written above.
  const [plan = "", answer = ""] = text.split("**---RESPONSE---**");
  return Buffer.from(`${plan.trim()}\n---RESPONSE---\n${answer.trimStart()}`);
}
