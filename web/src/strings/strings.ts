/** The texts of the page, in the language of its user. */
import { en } from "./en.ts";
import { de } from "./de.ts";

/** All texts, by part of the page. */
export type Strings = typeof en;

const languages: Readonly<Record<string, Strings>> = { en, de };

/** The language that the page is shown in: the first that the user prefers and the page has. */
export const language =
  navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in languages) ?? "en";

/** The texts in that language. */
export const strings: Strings = languages[language] ?? en;
