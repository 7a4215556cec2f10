/** Owns the promise that the bench still works: it runs, every body in it is true, and its table has all columns. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ResponseReader } from "../../bench/load/response-reader.ts";
import { toBody, toWrites, type BodyKind } from "../../bench/load/script.ts";
import { makeFolder } from "../support/apps/start-app.ts";

const run = promisify(execFile);
const main = fileURLToPath(new URL("../../bench/main.ts", import.meta.url));
const script = { deltas: 30, sizeChars: 0, paceMs: 0, eventsPerWrite: 4, firstDelayMs: 0 };
const peers = ["raw-parse", "foreword", "foreword-postgres"];
const columns = ["scenario", "figure", ...peers, "ratio", "target", "met", "measured"];

function toAnswer(body: Buffer, sizes: number): Buffer {
  const parts: Buffer[] = [Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")];
  for (let at = 0; at < body.length; at += sizes) {
    const part = body.subarray(at, at + sizes);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

function read(answer: Buffer, expected: Buffer, step: number): ResponseReader {
  const reader = new ResponseReader(expected);
  for (let at = 0; at < answer.length; at += step) reader.push(answer.subarray(at, at + step));
  return reader;
}

describe("the bench", () => {
  test("runs some peers through its shortest scenarios, with true bodies and a whole table", async () => {
    const args = ["--smoke", "relay", "first-byte", "--peers", peers.join(",")];
    const folder = await makeFolder();
    const env = { PATH: process.env["PATH"], TMPDIR: folder.path };
    const { stdout, stderr } = await run(process.execPath, [main, ...args], { env }); // it fails where a body is wrong
    assert.deepEqual(await readdir(folder.path), [], "it leaves no folder behind");
    await folder.remove();
    const lines = stdout.trim().split("\n");
    const cells = lines.map((line) => line.split(" | ").map((cell) => cell.replaceAll("|", "").trim()));
    assert.deepEqual(cells[0], columns);
    const rows = cells.slice(2);
    assert.deepEqual(Array.from(new Set(rows.map(([scenario]) => scenario))), ["relay", "first-byte"]);
    for (const row of rows) {
      assert.equal(row.length, columns.length, row.join());
      for (const value of row.slice(2, 2 + peers.length)) assert.match(value, /^-?[\d,.]+$/, row.join());
    }
    const targets = rows
      .map((row) => ({ scenario: row[0], ratio: row.at(-4), target: row.at(-3), met: row.at(-2) }))
      .filter(({ target }) => target !== "");
    assert.deepEqual(
      targets.map(({ scenario, target }) => [scenario, target]),
      [
        ["relay", "≤ 0.8 × raw-parse"],
        ["first-byte", "≤ 2.5 × raw-parse"],
      ],
      stderr,
    );
    for (const { ratio, met } of targets) assert.match(`${ratio} ${met}`, /^-?[\d,.]+ × [✓✗]$/, stderr);
  });

  test("says how it is used, and what is wrong with how it was", async () => {
    const { stdout } = await run(process.execPath, [main, "--help"]);
    assert.match(
      stdout,
      /^Usage: npm run bench[^]*relay, paced, first-byte, crowd, open, slow-readers, turns/,
    );
    await assert.rejects(run(process.execPath, [main, "relais"]), /there is no scenario "relais"/);
    await assert.rejects(
      run(process.execPath, [main, "--peers", "me"]),
      /--peers must be of raw-passthrough/,
    );
  });
});

describe("the load generator", () => {
  for (const kind of ["events", "text", "plan"] as const satisfies readonly BodyKind[]) {
    test(`knows a true body of ${kind} however it is cut, and one with a wrong, missing or further byte`, () => {
      const body = toBody(script, kind);
      const wrong = Buffer.from(body).fill("~", body.length >> 1, (body.length >> 1) + 1);
      for (const sizes of [1, 7, 20, body.length]) {
        const answer = toAnswer(body, sizes);
        for (const step of [1, 3, answer.length]) {
          assert.ok(read(answer, body, step).isWhole, `${sizes} ${step}`);
          assert.equal(read(answer.subarray(0, -2), body, step).isDone, false);
          assert.equal(read(toAnswer(wrong, sizes), body, step).isTrue, false);
          assert.equal(read(toAnswer(body.subarray(0, -1), sizes), body, step).isWhole, false);
          assert.equal(read(toAnswer(Buffer.concat([body, body]), sizes), body, step).isTrue, false);
        }
      }
    });
  }

  test("knows an answer that is no stream", () => {
    const reader = new ResponseReader(toBody(script, "text"));
    reader.push(Buffer.from("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nAway"));
    assert.match(reader.refusal ?? "", /503[^]*Away/);
  });
});

describe("the scripted upstream", () => {
  test("has a plan and a boundary in its text, which Foreword's rule makes its own", () => {
    const text = toBody(script, "text").toString();
    assert.match(text, /^- Look it up\n- Say it\n\n\*\*---RESPONSE---\*\*\n\nSo/);
    const body = toBody(script, "plan").toString();
    assert.match(body, /^- Look it up\n- Say it\n---RESPONSE---\nSo/);
    assert.ok(body.endsWith(text.slice(-20)));
  });

  test("sends each delta in an event of its own, so many to a write", () => {
    const writes = toWrites(script);
    assert.equal(writes.length, Math.ceil(script.deltas / script.eventsPerWrite) + 1);
    assert.equal(writes.join("").split('"content":').length - 1, script.deltas + 1); // the role's is empty
    assert.ok(writes.at(-1)?.endsWith("data: [DONE]\n\n"));
  });
});
