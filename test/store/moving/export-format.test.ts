/** The lines of an export: cut anywhere, they are the same, and a file of another kind is refused. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { schemaVersion } from "../../../src/store/database/database.ts";
import {
  checkEnd,
  isEndLine,
  LinesDigest,
  parseHeader,
  parseRowLine,
  toHeaderLine,
  toLines,
  toRowLine,
} from "../../../src/store/moving/export-format.ts";

const header = { schema: schemaVersion, exportedAt: "2026-11-29", runningOwners: [], tables: {} };

describe("the lines of an export", () => {
  test("are cut at line feeds alone, wherever a chunk ends", async () => {
    const lines = [String.raw`{"a":"b\n"}`, "\u2028 \u2029 \r \u0085", "", "🦔", "last"];
    const text = lines.join("\n");
    for (let size = 1; size <= text.length; size += 1) {
      const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, index) =>
        text.slice(index * size, (index + 1) * size),
      );
      async function* read(): AsyncGenerator<string> {
        yield* chunks;
      }
      assert.deepEqual(await Array.fromAsync(toLines(read())), lines);
    }
  });

  test("keep a row as its database wrote it", () => {
    const row = '{"big":12345678901234567890.10,"text":"}\u2028"}';
    assert.deepEqual(parseRowLine(toRowLine("messages", row).trimEnd()), { table: "messages", row });
    for (const line of [
      toRowLine("messages", row).slice(0, -3),
      '{"table":"pg_authid","row":{}}',
      "",
      "null",
    ])
      assert.throws(() => parseRowLine(line), /ends in the middle of a row, or is damaged/);
  });

  test("begin with a description, without which nothing is imported", () => {
    assert.deepEqual(parseHeader(toHeaderLine(header)).tables, {});
    for (const line of [undefined, "", "null", '{"format":"other"}', "id,title"])
      assert.throws(() => parseHeader(line), /This is no file of `foreword export`\./);
    assert.throws(() => parseHeader(toHeaderLine(header).replace('"tables":{}', '"tables":1')), /is damaged/);
  });

  test("end with the digest of all others", () => {
    const lines = toHeaderLine(header) + toRowLine("messages", "{}");
    const toDigest = (text: string): LinesDigest => {
      const digest = new LinesDigest();
      for (const character of text) digest.add(character);
      return digest;
    };
    const end = toDigest(lines).toEndLine().trimEnd();
    assert.ok(isEndLine(end) && !isEndLine(`${end} `) && !isEndLine(toRowLine("messages", "{}").trimEnd()));
    checkEnd(end, toDigest(lines));
    assert.throws(() => checkEnd(end, toDigest(lines.replace("2026", "2025"))), /has been changed/);
    assert.throws(() => checkEnd(undefined, toDigest(lines)), /lacks its last line/);
  });

  test("are not endless: a line that no row can fill is refused", async () => {
    const text = "x".repeat(2 ** 20);
    async function* read(): AsyncGenerator<string> {
      for (let part = 0; part < 300; part += 1) yield text;
    }
    await assert.rejects(Array.fromAsync(toLines(read())), /This is no file of `foreword export`/);
  });

  test("of a newer build are refused, with the versions that this one reads", () => {
    const newer = [
      toHeaderLine({ ...header, schema: schemaVersion + 1 }),
      toHeaderLine(header).replace('"version":1', '"version":2'),
      toHeaderLine({ ...header, tables: { tables_of_tomorrow: { rows: 1, columns: [] } } }),
    ];
    for (const line of newer)
      assert.throws(
        () => parseHeader(line),
        new RegExp(
          `A newer build of Foreword wrote this file .* reads format 1 and schemas up to ${schemaVersion}: upgrade`,
        ),
      );
  });
});
