/** Texts of others, made safe to print: a terminal obeys some characters. */

/** Returns a text without control characters and marks of direction, on one line. */
export function toPrintable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, "\ufffd");
}

/** Returns a text of several lines without the other control characters. */
export function toPrintableLines(text: string): string {
  return text.replaceAll(/(?![\n\t])[\p{Cc}]/gu, "\ufffd");
}
