/**
 * The process that reads one document: its bytes come by standard input, its pages go out by descriptor 3,
 * a line of JSON each, and then the code of the error, if there is one. It knows nothing else of the server.
 */
import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import type { DocumentJob, DocumentPage } from "../document.ts";
import { ReadFailure } from "./read-failure.ts";
import { readPages } from "./read-pages.ts";

/** What the process says: a page, or why there are no more. */
export type DocumentLine = { readonly page: DocumentPage } | { readonly failure: string };

/** A PDF document with fewer letters and digits is a scan, or a drawing. */
const minPdfLetters = 5;

const output = createWriteStream("", { fd: 3 });

async function write(line: DocumentLine): Promise<void> {
  if (!output.write(`${JSON.stringify(line)}\n`)) await once(output, "drain");
}

async function run(job: DocumentJob): Promise<void> {
  const bytes = await buffer(process.stdin);
  let characters = 0;
  let letters = 0;
  const minLetters = job.type === "pdf" ? minPdfLetters : 1;
  for await (const page of readPages(bytes, job)) {
    characters += page.text.length;
    if (characters > job.limits.maxCharacters) throw new ReadFailure("document_too_large");
    if (letters < minLetters) letters += page.text.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
    await write({ page });
  }
  if (letters < minLetters) throw new ReadFailure("document_has_no_text");
}

// The warnings of libraries go nowhere.
for (const level of ["log", "info", "warn", "error"] as const) console[level] = () => {};
try {
  await run(JSON.parse(process.argv[2] ?? ""));
} catch (error) {
  await write({ failure: error instanceof ReadFailure ? error.code : "document_unreadable" });
}
output.end();
await once(output, "close");
// What a library left running does not keep the process.
process.exit(0);
