/** The tools of servers that mean no good: what is left of their names, texts and schemas. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { nameTools } from "../../src/tools/tool-names.ts";
import { reduceResult } from "../../src/tools/call-result.ts";
import { useToolServers } from "./use-tool-servers.ts";

const script = fileURLToPath(new URL("servers/stdio-server.ts", import.meta.url));

describe("the tools of a hostile server", () => {
  const tools = useToolServers();

  test("have names, texts and schemas within bounds, and the others are left out by name", async () => {
    const running = await (
      await tools.start({ "my evil.server": { command: process.execPath, args: [script, "odd"] } })
    ).ready();
    assert.deepEqual(running.names, [
      "my_evil_server__fine",
      "my_evil_server__read_file_dd32cd",
      "my_evil_server__read_file_121414",
      "my_evil_server__read_file",
      "my_evil_server___",
      "my_evil_server____proto__",
      "my_evil_server__constructor",
      "my_evil_server___31m_evil_",
      `my_evil_server__${"n".repeat(41)}_11c3e5`,
      `my_evil_server__${"n".repeat(41)}_6116da`,
      "my_evil_server__untyped",
      "my_evil_server__proto-key",
      "my_evil_server__unstorable",
      "my_evil_server__wordy",
      "my_evil_server__odd-members",
    ]);
    for (const tool of running.servers.tools) {
      assert.match(tool.name, /^[\w-]{1,64}$/);
      assert.equal(tool.inputSchema["type"], "object");
      assert.ok(JSON.stringify(tool).length < 40_000);
      for (const text of [tool.description, tool.title ?? "", JSON.stringify(tool)])
        assert.ok(text.isWellFormed() && !/\0|\\u0000|\\ud800/.test(text));
      assert.equal(tool.needsApproval, true);
    }
    const wordy = running.tool("my_evil_server__wordy");
    assert.ok(wordy.description.length <= 1_000 && wordy.description.endsWith("😀…"));
    assert.equal(wordy.title?.length, 100);
    const keys = running.tool("my_evil_server__proto-key").inputSchema["properties"];
    assert.deepEqual(Object.keys(keys ?? {}), ["__proto__"]);
    const warnings = running.events.flatMap((event) => (event.type === "tool-warning" ? [event] : []));
    const reasonOf = (tool: string): string | undefined => warnings.find((one) => one.tool === tool)?.reason;
    assert.equal(reasonOf("fine"), "left out: the server lists its name twice");
    assert.equal(reasonOf("no-schema"), "left out: its input schema is not an object");
    assert.equal(reasonOf("array-schema"), "left out: its input schema does not describe an object");
    assert.equal(reasonOf("deep"), "left out: its input schema is nested more than 32 deep");
    assert.match(reasonOf("large") ?? "", /^left out: its input schema has 40\d+ bytes, more than 32768$/);
    assert.equal(reasonOf("task"), "left out: it can only run as a task");
    assert.ok(warnings.every(({ tool }) => tool.length <= 200));
  });

  test("are named alike whatever their order, all differently, and valid for every model", () => {
    const name = fc.oneof(
      fc.string({ unit: "binary", minLength: 1 }),
      fc.constantFrom("a.b", "a b", "a_b", "x".repeat(80)),
    );
    fc.assert(
      fc.property(fc.uniqueArray(name), (names) => {
        const named = nameTools("server", names);
        const again = nameTools("server", names.toReversed());
        assert.equal(new Set(named.values()).size, names.length);
        for (const one of names) assert.equal(named.get(one), again.get(one));
        for (const full of named.values()) assert.match(full, /^server__[\w-]{1,56}$/);
      }),
    );
  });
});

describe("the result of a tool", () => {
  test("holds at most its limit as JSON, whatever it contains", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 3_000 }),
      fc.nat(5_000).map((length) => '\u0001"😀'.repeat(length)),
    );
    const part = fc.oneof(
      fc.record({ type: fc.constant("text"), text }),
      fc.record({ type: fc.constantFrom("image", "audio"), data: text, mimeType: text }),
      fc.record({ type: fc.constant("resource"), resource: fc.record({ uri: text, text }) }),
      fc.record({
        type: fc.constant("resource"),
        resource: fc.record({ uri: text, blob: text, mimeType: text }),
      }),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(
        fc.record({
          content: fc.array(part),
          structuredContent: fc.option(fc.jsonValue()),
          isError: fc.boolean(),
        }),
        fc.integer({ min: 64, max: 8_000 }),
        (result, maxBytes) => {
          const { status, output } = reduceResult(result, maxBytes);
          const json = JSON.stringify(output);
          assert.ok(Buffer.byteLength(json) <= maxBytes, `${Buffer.byteLength(json)} > ${maxBytes}`);
          assert.ok(!/\\u0000|\\ud[89a-f]/.test(json) && json.isWellFormed());
          assert.ok(status === "complete" || typeof output === "string");
        },
      ),
    );
  });

  test("keeps the start of a long text and the parts after it that fit, and names the others", () => {
    const content = [
      { type: "image", data: "x".repeat(5_000), mimeType: "image/png" },
      { type: "text", text: "first" },
      { type: "resource", resource: { uri: "file:///a", text: "y".repeat(5_000) } },
    ];
    const { output } = reduceResult({ content, structuredContent: { z: "z".repeat(5_000) } }, 2_000);
    const json = JSON.stringify(output);
    assert.match(json, /\[image \(image\/png\) of 50\d\d bytes is left out: the result is too large\]/);
    assert.match(json, /"first"/);
    assert.match(json, /y{1000,}\\n\[cut off: 5000 characters in all\]/);
    assert.match(json, /\[structured content is left out: the result is too large\]/);
  });
});
