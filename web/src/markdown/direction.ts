/** The direction in which a text is read: that of its first letter. */

const firstLetter = /\p{L}/u;
const rightToLeft =
  /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
/** How far into a text a letter is looked for. */
const maxLength = 1000;

/**
 * Returns the direction of a list or a quotation: `dir=auto` would ignore blocks inside that have their own,
 * and Chromium would look at all of them again for each that is added.
 */
export function findDirection(text: string): "ltr" | "rtl" {
  const letter = firstLetter.exec(text.slice(0, maxLength))?.[0] ?? "";
  return rightToLeft.test(letter) ? "rtl" : "ltr";
}
