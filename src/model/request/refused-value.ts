/** Tells a refused value of a parameter from a refused parameter, and finds the nearest value instead. */
import type { ModelComplaint } from "../model-complaint.ts";

/** Sentences of OpenAI, Azure, vLLM, Groq, Ollama, LiteLLM, Mistral, Anthropic and Gemini. */
const valueWords =
  /unsupported value|(?:supported|allowed|valid|permitted|accepted) values?|not support (?:the value|['"`]?(?:none|minimal|low|medium|high|xhigh|max)\b|-?[\d.]+)|only (?:the default|temperature=|be set to|['"`\d])|must be|should be|one of|less than|greater than|between|invalid (?:\w+ )?value|may only be|out of range|too (?:large|high|low|small)|thinking_?budget|thinking mode/i;
const valueCodes = /unsupported_value|invalid_value|literal_error/;

/** Words for how much of something is wanted, from the least to the most. */
const scale = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/** Whether a complaint is about the value of a parameter. */
export function isAboutValue({ message, code, type }: ModelComplaint): boolean {
  return valueCodes.test(`${code} ${type}`) || valueWords.test(message);
}

/** Returns the value in `message` that is nearest to a refused `value`; `undefined` if there is none. */
export function toNearestWord(value: unknown, message: string): string | undefined {
  const place = typeof value === "string" ? scale.indexOf(value) : -1;
  if (place === -1) return undefined;
  const [, list = ""] =
    /(?:supported values|allowed values|valid values|must be|should be|one of|values are)[^]*?((?:['"`]\w+['"`])[^]*)/i.exec(
      message,
    ) ?? [];
  const named = Array.from(list.matchAll(/['"`](\w+)['"`]/g), ([, word = ""]) => scale.indexOf(word));
  const [nearest] = named
    // Without any thinking a reply is another one: only the least of it is near to that.
    .filter((index) => index !== -1 && index !== place && (index > 0 || place === 1))
    .toSorted((one, other) => Math.abs(one - place) - Math.abs(other - place) || one - other);
  return nearest === undefined ? undefined : scale[nearest];
}
