/** Takes the citations out of replies that a model gets again. */
import { findCitations } from "../../base/shared/citations.ts";
import type { Message } from "../message.ts";

/** A list of references that the text has itself. */
const ownReferences = /^ {0,3}\[\d{1,2}\]:/m;

/**
 * Returns a reply without its citations, as a model gets it in later turns: their numbers belong to the
 * sources of that turn. Its tool calls stay where they are in what is left of its text.
 */
export function withoutCitations(reply: Message): Message {
  const { text, tools } = reply;
  const found = findCitations(text);
  if (found.length === 0 || ownReferences.test(text)) return reply;
  // With the space before them.
  const cuts = found.map(({ start, end }) => ({ start: text[start - 1] === " " ? start - 1 : start, end }));
  let kept = "";
  let from = 0;
  for (const { start, end } of cuts) {
    kept += text.slice(from, start);
    from = end;
  }
  const toPlace = (at: number): number =>
    cuts.reduce((place, { start, end }) => place - Math.max(0, Math.min(at, end) - start), at);
  const moved = tools?.map((tool) => ({ ...tool, at: toPlace(tool.at) }));
  return { ...reply, text: kept + text.slice(from), ...(moved !== undefined && { tools: moved }) };
}
