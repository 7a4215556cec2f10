/** Texts of many languages and kinds, with the tokens that a real tokenizer and our estimate count. */
import { readdirSync, readFileSync } from "node:fs";
import { countTokens as countExactly } from "gpt-tokenizer/encoding/o200k_base";
import { countTokens } from "../../../src/turn/context/token-count.ts";

const folder = new URL("../../fixtures/tokens/", import.meta.url);

/** One text of the corpus. */
export interface CountedText {
  readonly name: string;
  readonly bytes: number;
  /** As o200k counts them. */
  readonly tokens: number;
  readonly estimated: number;
  /** How far the estimate is off: 0.05 is 5 % too many. */
  readonly error: number;
}

/** Returns the texts of the corpus, counted. */
export function countCorpus(): readonly CountedText[] {
  return readdirSync(folder).map((file) => {
    const text = readFileSync(new URL(file, folder), "utf8");
    const tokens = countExactly(text);
    const estimated = countTokens(text);
    const name = file.replace(/\.txt$/, "");
    return { name, bytes: Buffer.byteLength(text), tokens, estimated, error: estimated / tokens - 1 };
  });
}
