/** The texts of the page, in the language of its user. */
import { en } from "./en.ts";
import { de } from "./de.ts";

/** All texts, by part of the page. */
export type Strings = typeof en;

const languages: ReadonlyMap<string, Strings> = new Map([
  ["en", en],
  ["de", de],
]);

/** The languages of the page, each with its own name. */
export const languageNames = { en: "English", de: "Deutsch" } as const;

/** The language that the page is shown in. */
export let language = "en";

/** The texts in that language. Components read them when they render, so that it can change. */
export let strings: Strings = en;

/**
 * Changes the language: to `wanted`, if the page has it, else to the first one that the browser's user
 * prefers. Who calls it renders the page again.
 */
export function setLanguage(wanted: string | null): void {
  const tags = [...(wanted === null ? [] : [wanted]), ...navigator.languages];
  language = tags.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => languages.has(tag)) ?? "en";
  strings = languages.get(language) ?? en;
}

setLanguage(null);
