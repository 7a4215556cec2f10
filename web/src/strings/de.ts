/** The page's texts in German. */
import type { Strings } from "./strings.ts";

export const de: Strings = {
  page: {
    skip: "Zum Chat springen",
    conversations: "Unterhaltungen",
    chat: "Chat",
  },
};
