/** Questions about documents in many languages, each with the passage that answers it. */
import { readdirSync, readFileSync } from "node:fs";
import { z } from "zod";

const folder = new URL("languages/", import.meta.url);

const Language = z.object({
  /** The passages of each document, by its title. */
  documents: z.record(z.string(), z.array(z.string())),
  /** The beginning, or another unique part, of the passage that answers each question. */
  questions: z.record(z.string(), z.string()),
});

/** A document, whose title is the heading of each passage. */
export interface RetrievalDocument {
  readonly title: string;
  readonly passages: readonly string[];
}

/** A question, and the text of the passage that answers it. */
export interface RetrievalQuestion {
  /** English, German, and so on; `across` if the passage is in another language. */
  readonly language: string;
  readonly question: string;
  readonly answer: string;
}

/** Documents in one knowledge base, and questions about them. */
export interface RetrievalSet {
  readonly documents: readonly RetrievalDocument[];
  readonly questions: readonly RetrievalQuestion[];
}

/** Reads the set. @throws Error if a question's answer is not in exactly one passage. */
export function readRetrievalSet(): RetrievalSet {
  const languages = readdirSync(folder)
    .toSorted()
    .map((file) => ({
      name: file.replace(".json", ""),
      ...Language.parse(JSON.parse(readFileSync(new URL(file, folder), "utf8"))),
    }));
  const documents = languages.flatMap((language) =>
    Object.entries(language.documents).map(([title, passages]) => ({ title, passages })),
  );
  const texts = documents.flatMap(({ passages }) => passages);
  const toAnswer = (part: string): string => {
    const [answer, ...others] = texts.filter((text) => text.includes(part));
    if (answer === undefined || others.length > 0) throw new Error(`not in exactly one passage: ${part}`);
    return answer;
  };
  const questions = languages.flatMap(({ name, questions: answers }) =>
    Object.entries(answers).map(([question, part]) => ({
      language: name,
      question,
      answer: toAnswer(part),
    })),
  );
  return { documents, questions };
}
