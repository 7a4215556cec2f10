/** A large JSON body has the value that a parser of the whole text returns, however its bytes are cut. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fastify } from "fastify";
import { JsonReader } from "../../../src/http/edge/large-json/json-reader.ts";
import { pickCount } from "../../support/process/thoroughness.ts";

const parseJson = fastify().getDefaultJsonParser("error", "error");

/** Parses as small bodies are parsed. */
function parse(text: string): unknown {
  let outcome: { readonly error: Error | null; readonly value: unknown } = { error: null, value: undefined };
  void Reflect.apply(parseJson, undefined, [
    undefined,
    text,
    (error: Error | null, value: unknown) => (outcome = { error, value }),
  ]);
  if (outcome.error !== null) throw outcome.error;
  return outcome.value;
}

/** Returns the value that `read` returns, or the code of its error. */
function outcomeOf(read: () => unknown): unknown {
  try {
    return { value: read() };
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
}

/** Cuts `bytes` at `places`, in any order. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

function assertSame(bytes: Buffer, places: readonly number[]): void {
  const expected = outcomeOf(() => parse(bytes.toString()));
  const reader = new JsonReader();
  for (const chunk of cut(bytes, places)) reader.push(chunk);
  const actual = outcomeOf(() => reader.end(parse));
  assert.deepEqual(actual, expected);
  assert.equal(JSON.stringify(actual), JSON.stringify(expected), "the order of members");
}

/** Longer than the shortest string that is taken out. */
const pad = "long ".repeat(220);
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom("\\", '"', '\\"', "\\\\", "\u0000", "\ud800", "😀", "é", "“”", "/", "\n", "\u2028"),
);
const longText = fc
  .tuple(text, fc.nat(3), text, fc.nat(300))
  .map(([start, count, end, more]) => start + pad.repeat(count) + end.repeat(more) + start);
/** JSON of a string, with some of the escapes that JSON allows. */
const stringJson = fc
  .tuple(longText, fc.constantFrom("plain", "slashes", "units"))
  .map(([value, form]) =>
    form === "units"
      ? `"${Array.from({ length: value.length }, (_, at) => `\\u${value.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")}"`
      : form === "slashes"
        ? JSON.stringify(value).replaceAll("/", "\\/")
        : JSON.stringify(value),
  );
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    stringJson,
    fc.constantFrom("null", "true", " 1e3 ", "[]", "{}", '""', '"\\ud83d\\ude00"'),
    fc.array(tie("json"), { maxLength: 4 }).map((items) => `[${items.join(" , ")}]`),
    fc
      .array(
        fc.tuple(
          fc.oneof(
            stringJson,
            fc.constantFrom('"a"', '"b"', '"constructor"', '"__proto__"', '"\\u005f_proto__"'),
          ),
          fc.constantFrom(":", " :\n", "\t: "),
          tie("json"),
        ),
        { maxLength: 4 },
      )
      .map((members) => `{${members.map((parts) => parts.join("")).join(",")}}`),
  ),
}));
const places = fc.array(fc.nat(), { maxLength: 12 });

describe("JsonReader", { timeout: 120_000 }, () => {
  test("returns what a parser returns, for any JSON and any cuts", () => {
    fc.assert(
      fc.property(json, places, (body, cuts) => assertSame(Buffer.from(body), cuts)),
      { numRuns: pickCount(300, 20_000) },
    );
  });

  test("returns what a parser returns, or refuses as it does, for damaged JSON", () => {
    fc.assert(
      fc.property(json, places, fc.nat(), fc.uint8Array({ maxLength: 4 }), (body, cuts, place, bytes) => {
        const damaged = Buffer.from(body);
        damaged.set(bytes.subarray(0, damaged.length), place % Math.max(1, damaged.length - bytes.length));
        assertSame(damaged, cuts);
      }),
      { numRuns: pickCount(300, 20_000) },
    );
  });

  const bodies: Readonly<Record<string, string | Buffer>> = {
    "nothing but a string": JSON.stringify(pad),
    "names of members that are long": `{"${pad}" : 1, "${pad}x"\n:"${pad}"}`,
    "a member that comes twice": `{"a":"${pad}1","b":2,"a":"${pad}2"}`,
    "a member that comes twice, short at last": `{"a":"${pad}1","a":"x"}`,
    "a byte order mark": `\uFEFF{"a":"${pad}"}`,
    "a byte order mark in a string": `{"a":"\uFEFF${pad}"}`,
    "something behind it": `{"a":"${pad}"} x`,
    "a second value behind it": `"${pad}" "${pad}"`,
    "a colon behind it": `"${pad}":`,
    "a string without its end": `{"a":"${pad}`,
    "a string that ends in an escape": `{"a":"${pad}\\`,
    "a string that ends in an escaped quote": `{"a":"${pad}\\"}`,
    "a line break in a string": `{"a":"${pad}\n${pad}"}`,
    "an unknown escape": `{"a":"${pad}\\x41"}`,
    "half an escape": `{"a":"${pad}\\u12"}`,
    "many backslashes": `{"a":"${"\\\\".repeat(2_000)}","b":"${"\\\\".repeat(2_000)}\\""}`,
    "an odd number of backslashes": `{"a":"${"\\".repeat(4_001)}"}`,
    "a pair in two escapes": `{"a":"${pad}${"\\ud83d\\ude00".repeat(300)}"}`,
    "a __proto__ with a long string": `{"a":"${pad}","__proto__":{"x":"${pad}"}}`,
    "a constructor with a prototype": `{"a":"${pad}","constructor":{"prototype":"${pad}"}}`,
    "a constructor that is a string": `{"constructor":"${pad}"}`,
    "deep lists": `${"[".repeat(500)}"${pad}"${"]".repeat(500)}`,
    "deep lists without an end": `${"[".repeat(20_000)}"${pad}"`,
    "bytes that are no UTF-8": Buffer.concat([
      Buffer.from(`{"a":"${pad}`),
      Buffer.from("ff80c3e28241f09f98eda080f4908080c0afe2", "hex"),
      Buffer.from(`","b":"`),
      Buffer.from(`f09f98${"e282".repeat(600)}`, "hex"),
      Buffer.from('"}'),
    ]),
    "characters of two to four bytes": `{"a":"${"é€😀".repeat(300)}"}`,
  };
  for (const [name, body] of Object.entries(bodies))
    test(`returns or refuses as a parser does: ${name}`, () => {
      const bytes = Buffer.from(body);
      assertSame(bytes, []);
      for (const size of [1, 2, 3, 5, 7, 1_000])
        assertSame(
          bytes,
          Array.from({ length: Math.floor(bytes.length / size) }, (_, index) => (index + 1) * size),
        );
    });
});
