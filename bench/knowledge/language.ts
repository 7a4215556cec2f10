/** Random text whose words are as frequent, as long and as alike as those of a language. */
import { SeededRandom } from "../../test/support/model/seeded-reply.ts";

const vocabulary = 30_000;
const onsets = "t s n r l d m k p b f h v g st w tr pr j sch z kl br".split(" ");
const vowels = "e a i o u ei ie ou".split(" ");
const codas = ["", "n", "r", "", "s", "t", "l", "", "m", "ng", "k", "st"];

/** The n-th most frequent word is n times as rare as the first. */
export class Language {
  readonly #random: SeededRandom;
  readonly #words: readonly string[];

  constructor(seed: string) {
    this.#random = new SeededRandom(seed);
    this.#words = this.#createWords();
  }

  text(words: number): string {
    return Array.from({ length: words }, () => this.#word()).join(" ");
  }

  #word(): string {
    const rank = Math.floor(vocabulary ** this.#fraction()) - 1;
    return this.#words[rank] ?? "e";
  }

  /** Frequent words are short. */
  #createWords(): readonly string[] {
    const words = new Set<string>();
    while (words.size < vocabulary) {
      const count = Math.max(1, Math.round(Math.log10(words.size + 1) * 0.6));
      words.add(Array.from({ length: count }, () => this.#syllable()).join(""));
    }
    return Array.from(words);
  }

  #syllable(): string {
    return this.#pick(onsets) + this.#pick(vowels) + this.#pick(codas);
  }

  /** The first ones more often. */
  #pick(parts: readonly string[]): string {
    return parts[Math.floor(parts.length * this.#fraction() ** 1.5)] ?? "";
  }

  #fraction(): number {
    return this.#random.integer(0, 999_999) / 1_000_000;
  }
}
