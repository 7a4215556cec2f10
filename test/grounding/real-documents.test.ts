/**
 * Documents as they are out in the world, of Debian's packages, which .ci/run unpacks: left out without them.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { defaultDocumentLimits } from "../../src/grounding/documents/document.ts";
import { readDocument } from "../../src/grounding/documents/read-document.ts";
import { countPassageWords, toQuestionWords } from "../../src/store/words/passage-words.ts";

const folder = "/var/tmp/foreword-documents/usr/share/doc";

/** By name: a file, how many pages it has, a passage of its text, and a question in other words and forms. */
const documents: Readonly<
  Record<string, readonly [file: string, pages: number, text: RegExp, question: string]>
> = {
  English: [
    "debian-refcard/refcard-en-a4.pdf.gz",
    2,
    /Read online help for every\ncommand and many\nconfiguration files\./,
    "online help",
  ],
  Russian: ["debian-refcard/refcard-ru-a4.pdf.gz", 2, /Установка/, "установка"],
  Japanese: [
    "debian-refcard/refcard-ja-a4.pdf.gz",
    2,
    /ネットワークインターフェイスを上記ファイルに従い起動\/停止。/,
    "ネットワーク",
  ],
  "simplified Chinese": [
    "debian-refcard/refcard-zh_CN-a4.pdf.gz",
    2,
    /阅读所有命令和许多配置文件的联机帮助。/,
    "配置文件",
  ],
  Korean: ["debian-refcard/refcard-ko-a4.pdf.gz", 2, /패키지 설치된|설치된 패키지/, "패키지"],
  Arabic: [
    "fonts-hosny-amiri/Documentation-Arabic.pdf.gz",
    8,
    /^الخط الأميري خط نسخي موجه لطباعة/m,
    // Without marks, and with another form of alef: as people type.
    "الخط الاميري",
  ],
};

describe("real documents", { skip: !existsSync(folder) && "they are not unpacked" }, () => {
  for (const [language, [file, count, text, question]] of Object.entries(documents))
    test(`in ${language} are read in the order of their text, and found by its words`, async () => {
      const bytes = gunzipSync(readFileSync(join(folder, file)));
      const { signal } = new AbortController();
      const pages = await Array.fromAsync(readDocument({ bytes }, defaultDocumentLimits, signal));
      assert.equal(pages.length, count);
      const whole = pages.map((page) => page.text).join("");
      assert.match(whole, text);
      // No forms of letters that only print needs.
      assert.doesNotMatch(whole, /[\ufb50-\ufdff\ufe70-\ufefc\ufb00-\ufb06]/);
      const words = countPassageWords(whole);
      assert.deepEqual(
        toQuestionWords(question).filter((word) => !words.has(word)),
        [],
      );
    });
});
