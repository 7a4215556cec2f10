/** The names of knowledge bases. */
import { toStorable } from "../turn/message.ts";

/** Returns the name of a knowledge base as it is stored: however a client types it, it is the same. */
export function toBaseName(text: string): string {
  return toStorable(text).normalize("NFC").replaceAll(/\s+/g, " ").trim();
}
