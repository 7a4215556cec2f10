/** Tells a refused value of a parameter from a refused parameter, and finds the nearest value instead. */
import type { ModelComplaint } from "../model-complaint.ts";

/** Sentences of OpenAI, Azure, vLLM, Groq, Ollama, LiteLLM, Mistral, Anthropic and Gemini. */
const valueWords =
  /unsupported value|(?:supported|allowed|valid|permitted|accepted) values?|not support (?:the value|['"`]?(?:none|minimal|low|medium|high|xhigh|max)\b|-?[\d.]+)|only (?:the default|temperature=|be set to|['"`\d])|must be|should be|one of|less than|greater than|between|invalid (?:\w+ )?value|may only be|out of range|too (?:large|high|low|small)|thinking_?budget|thinking mode/i;
const valueCodes =
  /unsupported_value|invalid_value|literal_error|invalid_type|type_error|(?:int|float|bool|string|list|dict)_(?:type|parsing)/;
/** Sentences about the type of a value: OpenAI, FastAPI, Go's and Rust's JSON. Others are taken. */
const typeWords =
  /(?:invalid|wrong|incorrect) type|(?:not|be) (?:a |an |of )?(?:type|valid (?:int|num|float|bool|str|list|dict|enum))|cannot unmarshal|expected (?:an? |type )?(?:int|num|float|bool|str|list|array|object|dict|[iuf]\d+\b)/i;

/** Words for how much of something is wanted, from the least to the most. */
const scale = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/** Sentences that name a range, or more than the one value, that a parameter takes. */
const otherValuesWords =
  /(?:supported|allowed|valid|permitted|accepted) values? (?:are|is one of)|one of|between|(?:less|greater) than|at (?:most|least)|[<>]|out of range|too (?:large|high|low|small)|maximum|minimum|['"`]\w+['"`],? (?:or|and) ['"`]/i;

/** Whether a complaint about a value names others that the parameter takes. */
export function namesValues(message: string): boolean {
  return otherValuesWords.test(message) || typeWords.test(message);
}

/** Whether a complaint is about the value of a parameter. */
export function isAboutValue({ message, code, type }: ModelComplaint): boolean {
  return valueCodes.test(`${code} ${type}`) || valueWords.test(message) || typeWords.test(message);
}

/** Returns the value in `message` that is nearest to a refused `value`; `undefined` if there is none. */
export function toNearestWord(value: unknown, message: string): string | undefined {
  const written = typeof value === "string" ? value.toLowerCase() : "";
  const place = scale.indexOf(written);
  if (place === -1) return undefined;
  const [, list = ""] =
    /(?:supported values|allowed values|valid values|must be|should be|one of|values are)[^]*?((?:['"`]\w+['"`])[^]*)/i.exec(
      message,
    ) ?? [];
  const named = Array.from(list.matchAll(/['"`](\w+)['"`]/g), ([, word = ""]) => scale.indexOf(word));
  const [nearest] = named
    // A reply without any thinking is a different one: only the least effort is near to that.
    .filter((index) => index !== -1 && scale[index] !== value && (index > 0 || place < 2))
    .toSorted((one, other) => Math.abs(one - place) - Math.abs(other - place) || one - other);
  return nearest === undefined ? undefined : scale[nearest];
}
