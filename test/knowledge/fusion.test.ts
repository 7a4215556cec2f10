/** The ranking of passages by words and vectors together. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SimilarPassage } from "../../src/knowledge/embeddings/vector-rows.ts";
import { fusePassages } from "../../src/knowledge/search/fusion.ts";
import type { ScoredPassage } from "../../src/knowledge/search/passage-search.ts";
import { scorePassages } from "../../src/knowledge/search/passage-score.ts";
import { countPassageWords, toQuestionWords } from "../../src/store/words/passage-words.ts";
import { SeededRandom } from "../support/model/seeded-reply.ts";

/** A handbook with codes, names and rare words among sentences that share many. */
const passages = [
  "The code E-4711 means that the filter of the pump is full and has to be changed.",
  "The code E-4712 means that the lid of the pump is open and has to be closed.",
  "The code W-12 is a warning: the water tank of the machine is nearly empty.",
  "Ask Dr. Okonkwo in the laboratory before you order reagents.",
  "Ask Ms. Lindqvist in the office before you order paper or toner.",
  "Holiday requests are approved by the team lead within five days.",
  "Travel requests are approved by the finance department within ten days.",
  "Der Urlaubsantrag muss schriftlich beim Teamleiter gestellt werden.",
  "Der Reisekostenantrag muss mit allen Belegen eingereicht werden.",
  "The VPN profile is called corp-gate-7 and needs a hardware token.",
  "The guest network is called visitors and needs no password.",
  "Backups of the database run at 02:30 and are kept for ninety days.",
  "The server room is cooled by two compressors of the type KX200.",
  "工资在每月二十五日发放。",
  "部门例会在每周一上午九点举行。",
  "Les congés sont validés par le responsable de l'équipe.",
].map((text, ordinal): ScoredPassage => ({
  documentId: "d",
  documentName: "handbook",
  ordinal,
  page: undefined,
  heading: undefined,
  text,
  score: 0,
  coverage: 0,
}));

/** Questions of keywords, and the passage that holds them. */
const keywordQuestions: readonly (readonly [question: string, ordinal: number])[] = [
  ["E-4711", 0],
  ["code E-4712", 1],
  ["W-12 warning", 2],
  ["Okonkwo", 3],
  ["Lindqvist toner", 4],
  ["holiday requests approved", 5],
  ["travel requests finance", 6],
  ["Urlaubsantrag", 7],
  ["Reisekostenantrag Belege", 8],
  ["corp-gate-7", 9],
  ["VPN hardware token", 9],
  ["guest network password", 10],
  ["database backups 02:30", 11],
  ["KX200 compressors", 12],
  ["What is meant by E-4712, please, and where could one possibly read more about that?", 1],
  ["工资 发放", 13],
  ["部门例会", 14],
  ["congés responsable", 15],
];

/** Ranks by words as the search does; passages without any of them are not found. */
function rankByWords(question: string): readonly ScoredPassage[] {
  const counts = passages.map(({ text }) => countPassageWords(text));
  const asked = toQuestionWords(question);
  const frequencies = new Map(asked.map((word) => [word, counts.filter((words) => words.has(word)).length]));
  const words = counts.reduce((sum, { size }) => sum + size, 0);
  const fits = scorePassages(counts, frequencies, { passages: passages.length, words });
  return passages
    .map((passage, index) => ({ ...passage, ...fits[index] }))
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score);
}

/** Similarities of all passages to a question, as a search returns them beside `byWords`. */
function toSimilar(
  byWords: readonly ScoredPassage[],
  similarity: (ordinal: number) => number,
): readonly SimilarPassage[] {
  const known = new Set(byWords.map(({ ordinal }) => ordinal));
  return passages.map((passage) => ({
    documentId: "d",
    ordinal: passage.ordinal,
    similarity: similarity(passage.ordinal),
    passage: known.has(passage.ordinal) ? undefined : passage,
  }));
}

describe("the fusion of words and vectors", () => {
  test("finds every keyword first that words alone find first, whatever the vectors say", () => {
    const random = new SeededRandom("fusion");
    for (const [question, ordinal] of keywordQuestions) {
      const byWords = rankByWords(question);
      assert.equal(byWords[0]?.ordinal, ordinal, question);
      // The worst vectors there can be, and others without any sense.
      const adverse = toSimilar(byWords, (other) => (other === ordinal ? -1 : 1));
      assert.equal(fusePassages(byWords, adverse)[0]?.ordinal, ordinal, question);
      for (let round = 0; round < 20; round += 1) {
        const senseless = toSimilar(byWords, () => random.integer(0, 1000) / 1000);
        assert.equal(fusePassages(byWords, senseless)[0]?.ordinal, ordinal, question);
      }
    }
  });

  test("finds by vectors when the question has other words than the text", () => {
    for (const [question, ordinal] of [
      ["How many weeks can I stay at home in summer, and whom do I tell?", 5],
      ["Quand est-ce que je reçois mon argent ?", 13],
    ] as const) {
      const byWords = rankByWords(question);
      const similar = toSimilar(byWords, (other) => (other === ordinal ? 0.5 : 0.3));
      assert.equal(fusePassages(byWords, similar)[0]?.ordinal, ordinal, question);
    }
  });

  test("is the ranking by words if there are no vectors, and keeps passages that have none yet", () => {
    const byWords = rankByWords("requests approved within days");
    assert.deepEqual(fusePassages(byWords, []), byWords);
    const some = toSimilar(byWords, () => 0.5).filter(({ ordinal }) => ordinal !== 6);
    assert.ok(fusePassages(byWords, some).some(({ ordinal }) => ordinal === 6));
    const nothing = fusePassages(
      [],
      toSimilar([], (ordinal) => ordinal / 100),
    );
    assert.equal(nothing[0]?.ordinal, 15);
    assert.ok(nothing.every(({ score }) => score >= 0 && score <= 1));
  });
});
