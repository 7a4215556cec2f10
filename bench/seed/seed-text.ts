/** Owns what seeded messages say: made-up words, the common ones often, and words that stand in a known part of them. */

/** Where a message stands: in which of its user's conversations, at which place there, and whether that user is the one asked about. */
export interface Place {
  /** Of its user's conversations, the oldest being 0. */
  readonly conversation: number;
  readonly conversations: number;
  /** In its conversation, from 0. */
  readonly message: number;
  readonly isTheUsers: boolean;
}

/** Words to search for, each with the messages that it stands in. */
const markedWords: Readonly<Record<string, (place: Place) => boolean>> = {
  everywhere: () => true,
  asked: ({ message }) => message % 2 === 0,
  replied: ({ message }) => message % 2 === 1,
  opening: ({ message }) => message === 0,
  half: ({ message, conversation }) => message === 0 && conversation % 2 === 0,
  tenth: ({ message, conversation }) => message === 0 && conversation % 10 === 0,
  wholetenth: ({ conversation }) => conversation % 10 === 0,
  hundredth: ({ message, conversation }) => message === 0 && conversation % 100 === 0,
  rare: ({ message, conversation, conversations, isTheUsers }) =>
    isTheUsers && message === 1 && conversation === conversations >> 1,
  elsewhere: ({ message, conversation, isTheUsers }) =>
    !isTheUsers || (message === 0 && conversation % 1_000 === 0),
  ancient: ({ conversation, conversations }) => conversation < conversations / 10,
  archaic: ({ conversation, conversations }) => conversation < conversations / 95,
};
const marks = Object.entries(markedWords);

const syllables = ["ka", "lo", "mi", "ne", "ru", "sa", "te", "vo"];
const vocabulary = Array.from({ length: syllables.length ** 4 }, (_, index) =>
  [9, 6, 3, 0].map((shift) => syllables[(index >> shift) & 7]).join(""),
);

/** How many made-up words a message has on average. */
const meanWords = 30;

/** Returns the text of the message at `place`, the same for the same `random` numbers from 0 to 1. */
export function writeMessage(place: Place, random: () => number): string {
  const words = marks.filter(([, standsIn]) => standsIn(place)).map(([word]) => word);
  const count = Math.ceil(random() * 2 * meanWords);
  // The third power: few words are in most texts and most words in few, as in any language.
  for (let index = 0; index < count; index += 1)
    words.push(vocabulary[Math.floor(random() ** 3 * vocabulary.length)] ?? "");
  return words.join(" ");
}

/** Returns numbers from 0 to 1, the same for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
