/** `.env` is read as any editor leaves it, with warnings about lines that are probably mistakes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseEnvFile } from "../../src/config/env-file.ts";

const parse = (text: string) => parseEnvFile(Buffer.from(text));

describe("parseEnvFile", () => {
  test("reads the first line after a byte order mark, and UTF-16 as PowerShell writes it", () => {
    for (const bytes of [
      Buffer.from("\ufeffA=1\r\nB=é\r\n"),
      Buffer.from("\ufeffA=1\r\nB=é\r\n", "utf16le"),
      Buffer.from("\ufeffA=1\r\nB=é\r\n", "utf16le").swap16(),
    ])
      assert.deepEqual(parseEnvFile(bytes), { variables: { A: "1", B: "é" }, warnings: [] });
  });

  test("accepts every system's line ends, export, quotes, values of several lines and comments", () => {
    const text = `# A=0\nA=1\r\n  export  B = "x # y"\rexport\tC='a"b' # why\n\n\tD=z # why\nE="a\nF=b"\nG=\nH="1"\n#`;
    assert.deepEqual(parse(text), {
      variables: { A: "1", B: "x # y", C: 'a"b', D: "z", E: "a\nF=b", G: "", H: "1" },
      warnings: [],
    });
  });

  test("reports ignored, cut off and unclosed lines by number or name, and quotes none of them", () => {
    const { variables, warnings } = parse(
      'A=1\nPORT 8000\nB="s3cret\nC: s3cret\nDATABASE_URL=postgres://u:s3#cret@h/d\nE=1 # fine # too\n',
    );
    assert.equal(variables["A"], "1");
    assert.deepEqual(warnings.toSorted(), [
      "B in .env starts with a quote that is never closed.",
      "DATABASE_URL in .env is cut off at its first #, which starts a comment; quote the value.",
      "Line 2 of .env is ignored: it is not of the form NAME=value.",
      "Line 4 of .env is ignored: it is not of the form NAME=value.",
    ]);
  });
});
