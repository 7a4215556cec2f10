/** The beginning of a reply, to be read aloud. */

/** The longest beginning, in UTF-16 code units. */
const maxLength = 200;

/** Returns the first sentence of a text in Markdown, without its marks. */
export function toFirstSentence(text: string): string {
  const start = text.slice(0, maxLength * 4);
  const plain = start
    .replaceAll(/```[^\n]*|[*_`#>|]+/g, " ")
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .trim();
  const line = plain.split(/\n/, 1)[0]?.replaceAll(/\s+/g, " ").trim() ?? "";
  const sentence = /^.+?[.!?。！？؟](?=\s|$)/u.exec(line)?.[0] ?? line;
  return sentence.length > maxLength ? `${sentence.slice(0, maxLength)}…` : sentence;
}
