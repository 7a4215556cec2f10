/** Files of settings: how they are read, and how the place of a fault in them is written. */
import { readFileSync } from "node:fs";
import { JsoncError, parseJsonc, type Jsonc } from "./jsonc.ts";

/** A larger file is not one of settings. */
const maxFileBytes = 1024 * 1024;

/** The keys and indexes that lead to a value of a file. */
export type Place = readonly (string | number)[];

/** A sentence about the value at `place`, which is its subject. */
export interface Fault {
  readonly place: Place;
  readonly sentence: string;
}

/** Receives a sentence about the value at `place`, which is its subject. */
export type Tell = (place: Place, sentence: string) => void;

/** Returns the JSON in the file at `path`; `undefined` once `refuse` was told why it cannot be read. */
export function parseFile(path: string, refuse: (problem: string) => void): Jsonc | undefined {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > maxFileBytes) refuse(`is larger than ${maxFileBytes} bytes`);
    else return parseJsonc(new TextDecoder().decode(bytes));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    refuse(error instanceof JsoncError ? `is not valid JSON: ${reason}` : `cannot be read (${reason})`);
  }
  return undefined;
}

/** Returns the path of an issue as a place. */
export function fromPath(path: readonly PropertyKey[]): Place {
  return path.map((key) => (typeof key === "symbol" ? String(key) : key));
}

/** Returns a place like `mcpServers.files.args[1]`; other names are quoted. */
export function toPlace(path: Place): string {
  return path
    .map((key, index) => {
      if (typeof key === "number") return `[${key}]`;
      const name = /^[\w$-]+$/.test(key) ? key : JSON.stringify(key.slice(0, 100));
      return index === 0 ? name : `.${name}`;
    })
    .join("");
}

/** Tells `refuse` of headers that cannot be sent. */
export function checkHeaders(
  headers: readonly (readonly [name: string, value: string])[],
  place: Place,
  refuse: Tell,
): void {
  for (const [name, value] of headers) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) refuse([...place, name], "is not the name of a header");
    if (!/^[\x20-\x7e]*$/.test(value))
      refuse([...place, name], "must contain only ASCII characters: copy it again in full");
  }
}
