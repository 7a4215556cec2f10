/** Reading documents: every type, and every way in which one cannot be read. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { AppError } from "../../src/base/errors.ts";
import { detectDocumentType } from "../../src/grounding/documents/detect-type.ts";
import {
  defaultDocumentLimits,
  type DocumentLimits,
  type DocumentPage,
} from "../../src/grounding/documents/document.ts";
import { readDocument, type DocumentSource } from "../../src/grounding/documents/read-document.ts";
import { makePdf, scannedPage } from "../support/documents/make-pdf.ts";

/** A document of mammoth's tests. */
function readSample(name: string): Buffer {
  return readFileSync(new URL(`../../node_modules/mammoth/test/test-data/${name}`, import.meta.url));
}

async function read(source: DocumentSource, limits: Partial<DocumentLimits> = {}): Promise<DocumentPage[]> {
  const { signal } = new AbortController();
  return Array.fromAsync(readDocument(source, { ...defaultDocumentLimits, ...limits }, signal));
}

async function readText(source: DocumentSource): Promise<string> {
  const pages = await read(source);
  return pages.map(({ text }) => text).join("");
}

async function refuses(
  code: string,
  source: DocumentSource,
  limits?: Partial<DocumentLimits>,
): Promise<void> {
  await assert.rejects(read(source, limits), (error) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, code);
    return true;
  });
}

describe("a PDF document", () => {
  test("is read page by page, with its headings by their size", async () => {
    const pages = await read({
      bytes: makePdf([
        [
          { text: "Holidays", x: 72, y: 700, size: 20 },
          { text: "Everyone has 28 days of leave a year, and noti-", x: 72, y: 660 },
          { text: "fies their lead two weeks before.", x: 72, y: 646 },
          { text: "Sick days do not count.", x: 72, y: 600 },
        ],
        [{ text: "The second page is about travel.", x: 72, y: 700 }],
      ]),
    });
    assert.deepEqual(pages, [
      {
        number: 1,
        of: 2,
        text: "Holidays\n\nEveryone has 28 days of leave a year, and notifies their lead two weeks before.\n\nSick days do not count.\n",
        headings: [{ start: 0, level: 1, title: "Holidays" }],
      },
      { number: 2, of: 2, text: "The second page is about travel.\n", headings: [] },
    ]);
  });

  test("keeps the text of Chinese fonts that are not embedded", async () => {
    const bytes = makePdf([[{ text: "工资在每月二十五日发放", x: 72, y: 700, font: "chinese" }]]);
    assert.equal(await readText({ bytes }), "工资在每月二十五日发放\n");
  });

  test("has words of Chinese and Japanese whole that the end of a line divides", async () => {
    const lines = [
      "员工每年享有二十八天的带薪年",
      "假。申请",
      "メールでスケジュ",
      "ール表を送る。",
      "二〇二六年の",
      "Foreword",
    ];
    const bytes = makePdf([
      lines.map((text, index) => ({ text, x: 72, y: 700 - index * 18, font: "chinese" as const })),
    ]);
    assert.equal(
      await readText({ bytes }),
      "员工每年享有二十八天的带薪年假。申请\nメールでスケジュール表を送る。\n二〇二六年の\nForeword\n",
    );
  });

  test("keeps lines of Chinese apart that are no divided words: items, paragraphs and headings", async () => {
    const bytes = makePdf([
      [
        { text: "放假安排", x: 72, y: 700, font: "chinese", size: 20 },
        { text: "春节放假七天", x: 72, y: 680, font: "chinese" },
        { text: "姓名", x: 72, y: 640, font: "chinese" },
        { text: "家庭住址和邮政编码", x: 72, y: 622, font: "chinese" },
      ],
    ]);
    assert.equal(await readText({ bytes }), "放假安排\n春节放假七天\n\n姓名\n家庭住址和邮政编码\n");
  });

  test("has Arabic in the order of reading, with letters that a search finds", async () => {
    // As printers write it: each word's glyphs from left to right, in the forms that their neighbours ask
    // for.
    const words = ["ﺔﻴﺑﺮﻌﻟﺍ", "ﺔﻐﻠﻟﺍ"];
    const bytes = makePdf([
      words.map((text, index) => ({ text, x: 72 + index * 80, y: 700, font: "glyphs" as const })),
    ]);
    assert.equal(await readText({ bytes }), "اللغة العربية\n");
  });

  test("keeps numbers and Latin words whole within a line of Hebrew", async () => {
    const pieces = ["2026", "Fw 7", "ךל", "םולש"];
    const bytes = makePdf([
      pieces.map((text, index) => ({ text, x: 72 + index * 90, y: 700, font: "glyphs" as const })),
    ]);
    assert.equal(await readText({ bytes }), "שלום לך 2026 Fw 7\n");
  });

  test("has ligatures as letters, and superscripts as they are", async () => {
    const bytes = makePdf([[{ text: "oﬃce ﬁle m²", x: 72, y: 700, font: "glyphs" }]]);
    assert.equal(await readText({ bytes }), "office file m²\n");
  });

  test("that needs a password is refused as encrypted, and one that only its owner may change is read", async () => {
    const pages = [[{ text: "Locked away.", x: 72, y: 700 }]];
    await refuses("document_encrypted", { bytes: makePdf(pages, { user: "secret", owner: "owner" }) });
    assert.equal(await readText({ bytes: makePdf(pages, { user: "", owner: "owner" }) }), "Locked away.\n");
  });

  test("of pictures of pages is refused as a scan", async () => {
    await refuses("document_has_no_text", { bytes: makePdf([scannedPage, scannedPage]) });
  });

  test("without text is refused as a scan", async () => {
    await refuses("document_has_no_text", { bytes: makePdf([[], [{ text: "2", x: 300, y: 20 }]]) });
  });

  test("with too many pages is refused before they are read", async () => {
    const bytes = makePdf([[{ text: "One page", x: 72, y: 700 }], [], []]);
    await refuses("document_too_large", { bytes }, { maxPages: 2 });
  });

  test("that is cut off is refused as damaged", async () => {
    await refuses("document_unreadable", { bytes: Buffer.from("%PDF-1.7\n1 0 obj\n<< /Type") });
  });
});

describe("a Word document", () => {
  test("is read with its tables, one row a line", async () => {
    const text = await readText({ bytes: readSample("tables.docx") });
    assert.equal(text, "Above\n\nTop left | Top right\nBottom left | Bottom right\n\nBelow");
  });

  test("is read with its notes", async () => {
    const text = await readText({ bytes: readSample("footnotes.docx") });
    assert.match(text, /^Ouch\[1\]\.\[2\]\n\n- A tachyon walks into a bar\./);
  });

  test("is one whatever its name and media type say", async () => {
    const source = { bytes: readSample("single-paragraph.docx"), name: "notes.txt", mediaType: "text/plain" };
    assert.equal(await readText(source), "Walking on imported air");
  });

  test("without text is refused", async () => {
    await refuses("document_has_no_text", { bytes: readSample("tiny-picture.docx") });
  });

  test("that is cut off is refused as damaged", async () => {
    const bytes = readSample("tables.docx");
    await refuses("document_unreadable", { bytes: bytes.subarray(0, bytes.length - 100) });
  });

  test("that needs a password is refused as encrypted", async () => {
    const cover = Buffer.from("d0cf11e0a1b11ae1", "hex");
    const bytes = Buffer.concat([cover, Buffer.alloc(504), Buffer.from("EncryptedPackage", "utf16le")]);
    await refuses("document_encrypted", { bytes });
  });
});

describe("an HTML document", () => {
  const page = `<!doctype html><html><head><title>Handbook</title><style>p { color: red }</style></head>
    <body><nav>Home | About</nav><main><h1>Pay</h1><p>Salaries are paid on the <b>25th</b>.</p>
    <h2>Rates</h2><table><tr><th>Level<th>Rate</tr><tr><td>1<td><p>10</p></tr></table>
    <ul><li>one<li><p>two</p></ul><pre>a\n  b</pre><p hidden>secret</p><script>alert(1)</script></main></body></html>`;

  test("is read as its text, with headings, tables and lists", async () => {
    const [only, ...more] = await read({ bytes: Buffer.from(page) });
    assert.deepEqual(more, []);
    assert.equal(
      only?.text,
      "Handbook\n\nPay\n\nSalaries are paid on the 25th.\n\nRates\n\nLevel | Rate\n1 | 10\n\n- one\n- two\n\na\n  b",
    );
    assert.deepEqual(only?.headings, [
      { start: 0, level: 0, title: "Handbook" },
      { start: 10, level: 1, title: "Pay" },
      { start: 47, level: 2, title: "Rates" },
    ]);
  });

  test("is decoded as it declares", async () => {
    const bytes = Buffer.concat([
      Buffer.from('<html><meta charset="shift_jis"><p>'),
      Buffer.from("93fa967b8cea", "hex"),
    ]);
    assert.equal(await readText({ bytes }), "日本語");
  });

  test("as a web page is read without what surrounds its main text", async () => {
    const paragraph =
      "<p>This sentence belongs to the article, and is long enough, with commas, to be one.</p>";
    const bytes = Buffer.from(
      `<html><title>News</title><body><div class="menu"><a href="/">Home</a> <a href="/x">Sports</a></div>
       <article><h1>News</h1>${paragraph.repeat(12)}</article><div class="comments">Comment</div></body></html>`,
    );
    const pages = await read({ bytes, isWebPage: true });
    const text = pages.map((one) => one.text).join("");
    assert.match(text, /^News\n\nThis sentence/);
    assert.doesNotMatch(text, /Sports/);
  });

  test("as a web page too deep for that is read whole", async () => {
    const bytes = Buffer.from(`<html><body>${"<div>".repeat(5000)}deep text`);
    assert.deepEqual(
      (await read({ bytes, isWebPage: true })).map(({ text }) => text),
      ["deep text"],
    );
  });
});

describe("plain text", () => {
  test("is decoded as UTF-8, UTF-16 with a mark, or Windows-1252", async () => {
    const text = "Grüße – “quoted”";
    const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, "utf16le")]);
    const latin = Buffer.from("Gr\u00fc\u00dfe \u0096 \u0093quoted\u0094", "latin1");
    for (const bytes of [Buffer.from(text), utf16, latin]) assert.equal(await readText({ bytes }), text);
  });

  test("of Markdown has its headings, but none of those in code", async () => {
    const text = "# One #\r\n\r\n```\n# no heading\n```\n\nTwo\n---\n\n#hashtag\n### Three\n";
    const [page] = await read({ bytes: Buffer.from(text), name: "a.md" });
    assert.deepEqual(
      page?.headings.map(({ level, title }) => [level, title]),
      [
        [1, "One"],
        [2, "Two"],
        [3, "Three"],
      ],
    );
    for (const { start, title } of page?.headings ?? []) assert.ok(page?.text.slice(start).includes(title));
  });

  test("of a table tells the names of its columns in each row", async () => {
    const text = 'City;Rent\n"Rome; old";900\nOslo;1200;extra\n';
    assert.equal(
      await readText({ bytes: Buffer.from(text), name: "rents.csv" }),
      "City: Rome; old; Rent: 900\nCity: Oslo; Rent: 1200; extra\n",
    );
  });

  test("is given out in parts that end with a line, and joined are the text", async () => {
    const text = Array.from({ length: 20_000 }, (_, index) => `Line ${index} 🦔\n`).join("");
    const pages = await read({ bytes: Buffer.from(text) });
    assert.ok(pages.length > 5);
    assert.ok(pages.every((page) => page.text.endsWith("\n")));
    assert.equal(pages.map((page) => page.text).join(""), text);
  });

  test("whose first bytes are cut within a character is known as text", async () => {
    for (const start of ["", "x"]) {
      const bytes = Buffer.from(`${start}${"é".repeat(40_000)}`);
      assert.equal(detectDocumentType(bytes), "text");
      assert.equal((await readText({ bytes })).length, 40_000 + start.length);
    }
    const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("🦔".repeat(20_000), "utf16le")]);
    assert.equal(detectDocumentType(utf16), "text");
  });

  test("that turns out to be none further on is refused as damaged", async () => {
    const bytes = Buffer.concat([Buffer.from("Line\n".repeat(20_000)), Buffer.from([0, 1, 2])]);
    assert.equal(detectDocumentType(bytes), "text");
    await refuses("document_unreadable", { bytes });
  });

  test("is read as the type that it was stored as, whatever its name says by now", async () => {
    const bytes = Buffer.from("# Title\n");
    assert.deepEqual((await read({ bytes, type: "text", name: "a.md" }))[0]?.headings, []);
  });

  test("with too many characters is refused", async () => {
    await refuses(
      "document_too_large",
      { bytes: Buffer.from("words ".repeat(1000)) },
      { maxCharacters: 5999 },
    );
  });

  test("that is empty, or only white space, is refused", async () => {
    for (const text of ["", " \n\t"]) await refuses("document_has_no_text", { bytes: Buffer.from(text) });
  });
});

describe("any other file", () => {
  test("is refused by its bytes, whatever its name says", async () => {
    const png = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");
    const zip = Buffer.from("PK\u0003\u0004 xl/workbook.xml");
    const rtf = Buffer.from("{\\rtf1 text}");
    const old = Buffer.from("d0cf11e0a1b11ae1", "hex");
    for (const bytes of [png, zip, rtf, old])
      await refuses("document_type_unknown", { bytes, name: "report.md", mediaType: "text/markdown" });
  });
});

describe("reading", () => {
  test("ends as too large when its time is over", async () => {
    await refuses("document_too_large", { bytes: Buffer.from("text") }, { maxSeconds: 0 });
  });

  test("ends as too large when it takes too much memory", async () => {
    const bytes = Buffer.from("a,b,c\n".repeat(1_500_000));
    await refuses("document_too_large", { bytes, name: "large.csv" }, { maxMemoryMib: 64 });
  });

  test("ends with its signal, and when the reader wants no more", async () => {
    const bytes = Buffer.from("Line\n".repeat(100_000));
    const stop = new AbortController();
    const pages = readDocument({ bytes }, defaultDocumentLimits, stop.signal);
    await pages.next();
    stop.abort(new Error("stopped"));
    await assert.rejects(Array.fromAsync(pages), /stopped/);
    for await (const page of readDocument({ bytes }, defaultDocumentLimits, new AbortController().signal)) {
      assert.ok(page.text.length > 0);
      break;
    }
  });
});
