/** Makes the query that sources are looked for with. */
import type { Message } from "../turn/message.ts";

/** The longest query, in UTF-16 units and in words: search engines refuse more. */
const maxCharacters = 400;
const maxWords = 50;
/** A question with fewer telling words, like "And in Germany?", is understood with the one before it. */
const minTellingWords = 4;
/** A word that is this long tells something, or one of a script without spaces. */
const tellingWord = /[\p{L}\p{N}]{4,}|[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}]{2}/gu;

/** Returns the query for a chat; empty if its last message of the user's has no text. */
export function toSearchQuery(messages: readonly Message[]): string {
  const asked = messages.filter(({ role }) => role === "user").map(({ text }) => text.trim());
  const last = asked.at(-1) ?? "";
  const before = asked.at(-2) ?? "";
  if (last === "") return "";
  const isShort = (last.match(tellingWord)?.length ?? 0) < minTellingWords;
  const words = cut(isShort && before !== "" ? `${firstPart(before, last)} ${last}` : last);
  return words;
}

/** The part of an earlier question that fits before `last`. */
function firstPart(before: string, last: string): string {
  return before.slice(0, Math.max(0, maxCharacters - last.length - 1));
}

function cut(text: string): string {
  const words = text.split(/\s+/).filter((word) => word !== "");
  return words.slice(0, maxWords).join(" ").slice(0, maxCharacters).toWellFormed();
}
