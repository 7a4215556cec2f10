/** Tools of two servers that many people run, as child processes and over HTTP. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { everythingOverStdio, filesOverStdio, textOf, useToolServers } from "./use-tool-servers.ts";

describe("tools of real servers", () => {
  const tools = useToolServers();

  test("are called over stdio and over HTTP alike", async () => {
    const http = await tools.everything();
    const running = await tools.start({ local: everythingOverStdio, remote: http.entry });
    await running.ready();
    for (const server of ["local", "remote"]) {
      assert.deepEqual(await running.call(`${server}__echo`, { message: "Hello 👋" }), {
        status: "complete",
        output: { content: [{ type: "text", text: "Echo: Hello 👋" }] },
      });
      const structured = await running.call(`${server}__get-structured-content`, { location: "New York" });
      assert.equal(structured.status, "complete");
      assert.ok(JSON.stringify(structured.output).includes('"structuredContent":{"temperature"'));
      const wrong = await running.call(`${server}__echo`, {});
      assert.equal(wrong.status, "failed");
      assert.match(textOf(wrong), /message/);
    }
  });

  test("need approval unless the settings, or a trusted server, say that they only read", async () => {
    const running = await tools.start((folder) => ({
      files: {
        ...filesOverStdio(folder),
        tools: { read_text_file: { access: "read", price: 0.5 }, write_file: "read", move_file: "off" },
      },
      trusted: { ...filesOverStdio(folder), trusted: true, tools: { list_directory: "ask" } },
    }));
    await running.ready();
    const needsApproval = (name: string): boolean => running.tool(name).needsApproval;
    assert.equal(needsApproval("files__read_text_file"), false);
    assert.equal(needsApproval("files__list_directory"), true);
    assert.equal(running.tool("files__read_text_file").price, 0.5);
    assert.ok(!running.names.includes("files__move_file"));
    assert.equal(needsApproval("trusted__read_text_file"), false);
    assert.equal(needsApproval("trusted__list_directory"), true);
    assert.equal(needsApproval("trusted__write_file"), true);
    assert.equal(running.tool("trusted__read_text_file").isRepeatable, true);
    assert.equal(running.tool("trusted__edit_file").isRepeatable, false);
    // A server is believed that its tool acts, whatever the settings say.
    assert.equal(needsApproval("files__write_file"), false);
    assert.equal(running.tool("files__create_directory").isRepeatable, false);
    const onlyReads = (name: string): boolean => running.tool(name).onlyReads;
    assert.deepEqual(
      ["files__read_text_file", "files__write_file", "trusted__read_text_file", "trusted__write_file"].map(
        onlyReads,
      ),
      [true, false, true, false],
    );
    const warnings = running.events.flatMap((event) => (event.type === "tool-warning" ? [event] : []));
    assert.deepEqual(
      warnings.map(({ server, tool }) => [server, tool]),
      [["files", "write_file"]],
    );
    assert.match(warnings[0]?.reason ?? "", /the server says that it acts/);
  });

  test("see their own folder as the working directory of the file, and nothing of our environment", async () => {
    process.env["FOREWORD_TEST_SECRET"] = "do-not-pass-on";
    const running = await tools.start((folder) => ({
      files: filesOverStdio("."),
      env: { ...everythingOverStdio, env: { GIVEN: folder } },
    }));
    await running.ready();
    delete process.env["FOREWORD_TEST_SECRET"];
    const text = textOf(await running.call("env__get-env"));
    assert.match(text, /"GIVEN": "\//);
    assert.doesNotMatch(text, /do-not-pass-on|FOREWORD_TEST/);
    assert.match(textOf(await running.call("files__list_directory", { path: "." })), /mcp\.json/);
  });

  test("have a long text cut off within the limit, and an image left out by name", async () => {
    let path = "";
    const running = await tools.start((folder) => {
      path = join(folder, "long.txt");
      return { files: filesOverStdio(folder), all: everythingOverStdio };
    });
    await running.ready();
    await writeFile(path, '\u{1F600}é"\n'.repeat(100_000));
    const { status, output } = await running.call("files__read_text_file", { path });
    assert.equal(status, "complete");
    assert.ok(Buffer.byteLength(JSON.stringify(output)) <= 65_536);
    assert.ok(Buffer.byteLength(JSON.stringify(output)) > 60_000);
    const text = textOf({ status, output });
    assert.ok(text.isWellFormed());
    assert.match(text, /\[cut off: 500000 characters in all\]$/);
    const image = await running.call("all__get-tiny-image", {}, { maxBytes: 1_500 });
    assert.match(JSON.stringify(image.output), /\[image \(image\/png\) of \d+ bytes is left out/);
  });

  test("are stopped by a signal, and nothing is known of their effect", async () => {
    const http = await tools.everything();
    const running = await tools.start({ local: everythingOverStdio, remote: http.entry });
    await running.ready();
    for (const server of ["local", "remote"]) {
      const stopping = new AbortController();
      const call = running.call(
        `${server}__trigger-long-running-operation`,
        { duration: 60, steps: 2 },
        { signal: stopping.signal },
      );
      setImmediate(() => stopping.abort());
      const outcome = await call;
      assert.equal(outcome.status, "unknown");
      assert.match(textOf(outcome), /^The call was stopped/);
      assert.equal((await running.call(`${server}__echo`, { message: "still there" })).status, "complete");
    }
  });

  test("left out, or named without being there, are warned of", async () => {
    const running = await tools.start({ all: { ...everythingOverStdio, tools: { echoo: "read" } } });
    await running.ready();
    const warnings = running.events.flatMap((event) =>
      event.type === "tool-warning" ? [`${event.tool}: ${event.reason}`] : [],
    );
    assert.deepEqual(warnings.toSorted(), [
      "echoo: named in the settings, but the server has no such tool",
      "simulate-research-query: left out: it can only run as a task",
    ]);
  });

  test("of a server that has restarted are called again at once, if a call may be repeated", async () => {
    const http = await tools.everything();
    const running = await tools.start({ remote: { ...http.entry, tools: { echo: "read" } } });
    await running.ready();
    await http.stop();
    await http.start();
    assert.equal(textOf(await running.call("remote__echo", { message: "back" })), "Echo: back");
    await running.observed(({ type }) => type === "tool-server-lost");
  });
});
