/** Makes PDF documents for tests, with the fonts that readers of text find hard. */
import { Buffer } from "node:buffer";
import { PdfEncryption, type PdfPasswords } from "./pdf-encryption.ts";

/** A piece of text on a page. */
export interface PdfText {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly size?: number;
  /**
   * `latin`: a standard font; `chinese`: a font that is not embedded, whose characters only a predefined CMap
   * explains; `glyphs`: glyphs in the order of the text, each with its own Unicode text.
   */
  readonly font?: "latin" | "chinese" | "glyphs";
}

/** A page that is a picture of one, as scanners make them. */
export const scannedPage = "scan";

/** Returns a PDF document with these pages, which is encrypted if it has passwords. */
export function makePdf(
  pages: readonly (readonly PdfText[] | typeof scannedPage)[],
  passwords?: PdfPasswords,
): Buffer {
  const texts = pages.flatMap((page) => (page === scannedPage ? [] : page));
  const glyphs = Array.from(
    new Set(texts.flatMap(({ font, text }) => (font === "glyphs" ? Array.from(text) : []))),
  );
  const encryption = passwords && new PdfEncryption(passwords);
  const objects: string[] = [];
  const add = (body: string): number => objects.push(body);
  const addStream = (body: string, entries = ""): number => {
    const bytes = Buffer.from(body, "latin1");
    const stored = encryption?.encrypt(objects.length + 1, bytes) ?? bytes;
    return add(`<< ${entries} /Length ${stored.length} >>\nstream\n${stored.toString("latin1")}\nendstream`);
  };
  const catalog = add("<< /Type /Catalog /Pages 2 0 R >>");
  add("");
  const latin = add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>");
  const chineseFont = add(
    "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> /DW 1000 >>",
  );
  const chinese = add(
    `<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light-UniGB-UCS2-H /Encoding /UniGB-UCS2-H /DescendantFonts [${chineseFont} 0 R] >>`,
  );
  const glyphFont = add(
    "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Glyphs /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /DW 500 >>",
  );
  const toUnicode = addStream(toCmap(glyphs));
  const glyphic = add(
    `<< /Type /Font /Subtype /Type0 /BaseFont /Glyphs /Encoding /Identity-H /DescendantFonts [${glyphFont} 0 R] /ToUnicode ${toUnicode} 0 R >>`,
  );
  const scan = addStream(
    "00ff00ff>",
    "/Type /XObject /Subtype /Image /Width 2 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /ASCIIHexDecode",
  );
  const resources = `/XObject << /scan ${scan} 0 R >> /Font << /latin ${latin} 0 R /chinese ${chinese} 0 R /glyphs ${glyphic} 0 R >>`;
  const kids = pages.map((page) => {
    const content = addStream(
      page === scannedPage
        ? "q 612 0 0 792 0 0 cm /scan Do Q"
        : page.map((text) => toOperators(text, glyphs)).join("\n"),
    );
    return add(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << ${resources} >> /Contents ${content} 0 R >>`,
    );
  });
  objects[1] = `<< /Type /Pages /Count ${kids.length} /Kids [${kids.map((kid) => `${kid} 0 R`).join(" ")}] >>`;
  return toFile(objects, `/Root ${catalog} 0 R ${encryption?.trailer ?? ""}`);
}

function toOperators({ text, x, y, size = 12, font = "latin" }: PdfText, glyphs: readonly string[]): string {
  const bytes = {
    latin: () => Buffer.from(text, "latin1"),
    chinese: () => Buffer.from(text, "utf16le").swap16(),
    glyphs: () => Buffer.from(Array.from(text).flatMap((glyph) => [0, glyphs.indexOf(glyph) + 1])),
  }[font]();
  return `BT /${font} ${size} Tf ${x} ${y} Td <${bytes.toString("hex")}> Tj ET`;
}

function toCmap(glyphs: readonly string[]): string {
  const lines = glyphs.map((glyph, index) => {
    const code = (index + 1).toString(16).padStart(4, "0");
    return `<${code}> <${Buffer.from(glyph, "utf16le").swap16().toString("hex")}>`;
  });
  return `/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Glyphs def /CMapType 2 def
1 begincodespacerange <0000> <ffff> endcodespacerange
${lines.length} beginbfchar
${lines.join("\n")}
endbfchar endcmap end end`;
}

function toFile(objects: readonly string[], trailer: string): Buffer {
  let file = "%PDF-1.7\n";
  const offsets = objects.map((body, index) => {
    const offset = file.length;
    file += `${index + 1} 0 obj\n${body}\nendobj\n`;
    return offset;
  });
  const table = file.length;
  const entries = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${entries}`;
  file += `trailer\n<< /Size ${objects.length + 1} ${trailer} >>\nstartxref\n${table}\n%%EOF\n`;
  return Buffer.from(file, "latin1");
}
