/** Reads JSON with comments and trailing commas, as editors write it. */

/** Deeper values are refused. */
const maxDepth = 64;

const space = /(?:\s|\/\/[^\n\r]*|\/\*[^]*?\*\/)*/y;
const text = /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4}))*"/uy;
const word = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** A text that is not JSON. Its message quotes nothing of the text, which may hold secrets. */
export class JsoncError extends Error {
  override readonly name = "JsoncError";
}

/** A value, and the places of keys that stand twice in their object or cannot be used. */
export interface Jsonc {
  readonly value: unknown;
  readonly badKeys: readonly { readonly path: readonly (string | number)[]; readonly text: string }[];
}

/** Returns the value in `source`. @throws JsoncError that names line and column. */
export function parseJsonc(source: string): Jsonc {
  return new Parser(source.replace(/^\ufeff/, "")).parse();
}

class Parser {
  readonly #source: string;
  #at = 0;
  readonly #path: (string | number)[] = [];
  readonly #badKeys: Jsonc["badKeys"][number][] = [];

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Jsonc {
    const value = this.#value();
    this.#skip();
    if (this.#at < this.#source.length) this.#fail("there is more after the end");
    return { value, badKeys: this.#badKeys };
  }

  #value(): unknown {
    this.#skip();
    if (this.#path.length > maxDepth) this.#fail(`values are nested more than ${maxDepth} deep`);
    if (this.#take("{")) return this.#object();
    if (this.#take("[")) return this.#list();
    const found = this.#match(text) ?? this.#match(word);
    if (found === undefined) this.#fail("a value is missing or malformed");
    return JSON.parse(found);
  }

  #object(): object {
    const entries = new Map<string, unknown>();
    for (;;) {
      this.#skip();
      if (this.#take("}")) return Object.fromEntries(entries);
      const found = this.#match(text) ?? this.#fail('a key in quotes, or "}", is missing');
      const key = String(JSON.parse(found));
      this.#path.push(key);
      if (entries.has(key)) this.#refuse("stands twice in its object");
      if (key === "__proto__") this.#refuse("is not a possible name");
      this.#skip();
      if (!this.#take(":")) this.#fail("a colon is missing after a key");
      entries.set(key, this.#value());
      this.#path.pop();
      this.#separate("}");
    }
  }

  #list(): readonly unknown[] {
    const items: unknown[] = [];
    for (;;) {
      this.#skip();
      if (this.#take("]")) return items;
      this.#path.push(items.length);
      items.push(this.#value());
      this.#path.pop();
      this.#separate("]");
    }
  }

  /** Takes the comma after a member, which the last one may have, too. */
  #separate(end: string): void {
    this.#skip();
    if (!this.#take(",") && this.#source[this.#at] !== end) this.#fail(`"," or "${end}" is missing`);
  }

  #refuse(reason: string): void {
    this.#badKeys.push({ path: [...this.#path], text: reason });
  }

  #skip(): void {
    this.#match(space);
  }

  #take(character: string): boolean {
    if (this.#source[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#source) ?? [];
    this.#at += found?.length ?? 0;
    return found;
  }

  #fail(reason: string): never {
    const lines = this.#source.slice(0, this.#at).split(/\r\n?|\n/);
    throw new JsoncError(`line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}: ${reason}`);
  }
}
