/** The words of short texts, stored together with them: they need not be read again to be searchable. */
import type { JsonObject } from "../../base/json.ts";
import type { TurnBegin } from "../../turn/ports.ts";
import { toVector } from "./lexemes.ts";
import { collectWords, type Words } from "./text-words.ts";

/** The longest text whose words are stored with it, in UTF-16 code units: others would delay their turn. */
const maxLength = 1_000;

/** The place of a text: words name its owner and conversation. */
type TextPlace = Pick<TurnBegin, "caller" | "conversationId">;

/** Returns `words` of functions that store turns; `undefined` if neither text is short. */
export function toWrittenWords(
  { caller: { userId }, conversationId }: TextPlace,
  message: string | undefined,
  title?: string,
): JsonObject | undefined {
  const toWords = (text = ""): string | undefined => {
    const words = readShort(text);
    return words && toVector(words, userId, conversationId);
  };
  const texts = { message: toWords(message), title: toWords(title) };
  if (texts.message === undefined && texts.title === undefined) return undefined;
  return { user_id: userId, conversation_id: conversationId, ...texts };
}

/** Returns the words of a short text that is stored as it is. */
function readShort(text: string): Words | undefined {
  if (text === "" || text.length > maxLength || text.includes("\0") || !text.isWellFormed()) return undefined;
  const reading = collectWords(text);
  for (;;) {
    const step = reading.next();
    if (step.done === true) return step.value;
  }
}
