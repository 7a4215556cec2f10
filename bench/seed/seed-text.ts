/**
 * The text of seeded messages: invented words with a natural distribution, and marker words at known places.
 */

/** The place of a message: its conversation, its index there, and whether its user is the measured one. */
export interface Place {
  /** Index among its user's conversations, oldest first. */
  readonly conversation: number;
  readonly conversations: number;
  /** Index in its conversation. */
  readonly message: number;
  readonly isTheUsers: boolean;
}

/** Words to search for, each with the messages that contain it. */
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

/** Average number of invented words in a message. */
const meanWords = 30;

/** Returns the text of the message at `place`; equal `random` numbers, from 0 to 1, give equal texts. */
export function writeMessage(place: Place, random: () => number): string {
  const words = marks.filter(([, standsIn]) => standsIn(place)).map(([word]) => word);
  const count = Math.ceil(random() * 2 * meanWords);
  // The third power: a few words are in most texts and most words in few, as in any language.
  for (let index = 0; index < count; index += 1)
    words.push(vocabulary[Math.floor(random() ** 3 * vocabulary.length)] ?? "");
  return words.join(" ");
}

/** Returns a generator of numbers from 0 to 1 (mulberry32) that repeats for the same seed. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
