/** Tools that no well-meaning server would list, for tests of what is left of them. */

const nest = (depth: number): object =>
  depth === 0 ? {} : { type: "object", properties: { deeper: nest(depth - 1) } };
const schema = { type: "object" };

/** The list, as JSON. */
export const hostileTools: readonly unknown[] = [
  {
    name: "fine",
    description: "Fine.",
    inputSchema: { type: "object", properties: { a: { type: "string" } } },
  },
  { name: "fine", inputSchema: schema },
  { name: "read.file", inputSchema: schema },
  { name: "read file", inputSchema: schema },
  { name: "read_file", inputSchema: schema },
  { name: "天気", inputSchema: schema },
  { name: "__proto__", inputSchema: schema },
  { name: "constructor", inputSchema: schema },
  { name: "\u001b[31m\u202eevil\n\u0000", inputSchema: schema },
  { name: "n".repeat(150), inputSchema: schema },
  { name: `${"n".repeat(150)}2`, inputSchema: schema },
  { name: "x".repeat(10_000), inputSchema: schema },
  { name: "", inputSchema: schema },
  { name: 7, inputSchema: schema },
  { inputSchema: schema },
  null,
  "a string",
  [],
  { name: "no-schema" },
  { name: "null-schema", inputSchema: null },
  { name: "array-schema", inputSchema: { type: "array" } },
  { name: "list-of-types", inputSchema: { type: ["object", "null"] } },
  { name: "odd-properties", inputSchema: { type: "object", properties: [] } },
  { name: "odd-required", inputSchema: { type: "object", required: "a" } },
  { name: "untyped", inputSchema: { properties: { a: { type: "string" } } } },
  { name: "deep", inputSchema: nest(200) },
  { name: "large", inputSchema: { type: "object", description: "x".repeat(40_000) } },
  {
    name: "proto-key",
    inputSchema: { type: "object", properties: JSON.parse('{"__proto__":{"type":"string"}}') },
  },
  {
    name: "unstorable",
    description: "\u0000\ud800",
    title: "\u0000",
    inputSchema: { ...schema, title: "a\u0000b\ud800" },
  },
  { name: "wordy", description: "\u{1F600}".repeat(5_000), title: "t".repeat(5_000), inputSchema: schema },
  { name: "odd-members", description: 7, title: {}, annotations: "none", execution: [], inputSchema: schema },
  { name: "task", execution: { taskSupport: "required" }, inputSchema: schema },
];
