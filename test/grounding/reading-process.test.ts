/** Reading documents by a process that starts others. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AppError } from "../../src/base/errors.ts";
import { defaultDocumentLimits } from "../../src/grounding/documents/document.ts";
import { ReadingProcess } from "../../src/grounding/documents/process/reading-process.ts";
import { useResource } from "../support/apps/use-app.ts";

describe("a reading process", { timeout: 60_000 }, () => {
  const readers = new ReadingProcess();
  useResource(async (closing) => closing.defer(() => readers.close()));
  const open = new AbortController();

  function read(text: string, signal = open.signal) {
    return readers.read({ bytes: Buffer.from(text) }, defaultDocumentLimits, signal);
  }

  test("reads several documents at once, whole and page by page", async () => {
    const long = "line\n".repeat(200_000);
    const texts = [long, "short", "工资"];
    const pages = await Promise.all(texts.map(async (text) => await Array.fromAsync(read(text))));
    assert.deepEqual(
      pages.map((some) => some.map(({ text }) => text).join("")),
      texts,
    );
    assert.ok((pages[0]?.length ?? 0) > 10);
  });

  test("tells why a document cannot be read, and reads the next one", async () => {
    await assert.rejects(
      Array.fromAsync(read(" ")),
      (error) => error instanceof AppError && error.code === "document_has_no_text",
    );
    await assert.rejects(
      Array.fromAsync(read("\u0000\u0001")),
      (error) => error instanceof AppError && error.code === "document_type_unknown",
    );
    assert.equal((await Array.fromAsync(read("next"))).length, 1);
  });

  test("ends the reading that is aborted, with its reason", async () => {
    const stopping = new AbortController();
    const pages = read("line\n".repeat(200_000), stopping.signal);
    await pages.next();
    stopping.abort(new Error("enough"));
    await assert.rejects(Array.fromAsync(pages), /enough/);
  });

  test("that has ended is replaced", async () => {
    const pages = read("line\n".repeat(200_000));
    await pages.next();
    readers.close();
    await assert.rejects(Array.fromAsync(pages), /has ended|closed/i);
    assert.equal((await Array.fromAsync(read("again"))).length, 1);
  });
});
