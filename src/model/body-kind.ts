/** What kind of body a model server's 200 has, by its first bytes: content types are missing, or wrong. */

/** How an event stream may begin. */
const openings = ["data:", "event:", "id:", "retry:", ":"];
const maxOpeningLength = 6;

/** An event stream, JSON, or neither. */
export type BodyKind = "events" | "json" | "other";

/**
 * Returns the kind of a body that begins with `start`; `undefined` while more bytes are needed.
 * @param type its content type, in lower case; `""` if it has none.
 */
export function findBodyKind(start: string, type: string): BodyKind | undefined {
  const text = start.replace(/^(?:\u00EF\u00BB\u00BF)?\s*/, "");
  if (text === "") return undefined;
  if (text.startsWith("{") || text.startsWith("[")) return "json";
  if (type.startsWith("text/event-stream") || openings.some((opening) => text.startsWith(opening)))
    return "events";
  const mayBeEvents = text.length < maxOpeningLength && openings.some((opening) => opening.startsWith(text));
  return mayBeEvents ? undefined : "other";
}
