/** The bench: its usage, and its load generator, which notices every wrong byte. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ResponseReader } from "../../bench/load/response-reader.ts";
import { compare } from "../../bench/report/noise.ts";
import { toBody, toWrites, type BodyKind } from "../../bench/load/script.ts";

const run = promisify(execFile);
const main = fileURLToPath(new URL("../../bench/main.ts", import.meta.url));
const script = { deltas: 30, sizeChars: 0, paceMs: 0, eventsPerWrite: 4, firstDelayMs: 0 };

function toResponse(body: Buffer, sizes: number): Buffer {
  const parts: Buffer[] = [Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")];
  for (let at = 0; at < body.length; at += sizes) {
    const part = body.subarray(at, at + sizes);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

function read(response: Buffer, expected: Buffer, step: number): ResponseReader {
  const reader = new ResponseReader(expected);
  for (let at = 0; at < response.length; at += step) reader.push(response.subarray(at, at + step));
  return reader;
}

describe("the bench", () => {
  test("prints its usage, and names a wrong option", async () => {
    const { stdout } = await run(process.execPath, [main, "--help"]);
    assert.match(
      stdout,
      /^Usage: npm run bench[^]*--only[^]*--against[^]*\n  relay +\S[^]*\n  cold-crowd +\S[^]*\n  workers +\S/,
    );
    await assert.rejects(run(process.execPath, [main, "--only", "relais"]), /unknown scenario "relais"/);
    await assert.rejects(run(process.execPath, [main, "relay"]), /name scenarios as --only relay/);
    await assert.rejects(
      run(process.execPath, [main, "--against", "/nowhere"]),
      /--against: \/nowhere has no/,
    );
    await assert.rejects(
      run(process.execPath, [main, "--peers", "me"]),
      /--peers must be a comma-separated list of raw-passthrough/,
    );
  });
});

describe("the comparison with another checkout", () => {
  test("calls a difference noise or not by the exact probability of ranks, and asks for four rounds", () => {
    // Of the 70 ways to divide eight ranks, two are as far apart.
    assert.deepEqual(compare([1, 2, 3, 4], [5, 6, 7, 8]), { chance: 2 / 70, verdict: "beyond noise" });
    assert.deepEqual(compare([5, 6, 7, 8], [1, 2, 3, 4]), { chance: 2 / 70, verdict: "beyond noise" });
    assert.deepEqual(compare([1, 2, 3, 5], [4, 6, 7, 8]), { chance: 4 / 70, verdict: "noise" });
    assert.deepEqual(compare([1, 3, 5, 7], [2, 4, 6, 8]).verdict, "noise");
    assert.deepEqual(compare([4, 4, 4, 4, 4], [4, 4, 4, 4, 4]), { chance: 1, verdict: "noise" });
    assert.equal(compare([1, 2, 3], [7, 8, 9]).verdict, "too few rounds");
  });
});

describe("the load generator", () => {
  for (const kind of ["events", "text", "plan"] as const satisfies readonly BodyKind[]) {
    test(`recognises a right body of ${kind} in pieces of any size, and one with a wrong, missing or extra byte`, () => {
      const body = toBody(script, kind);
      const wrong = Buffer.from(body).fill("~", body.length >> 1, (body.length >> 1) + 1);
      for (const sizes of [1, 7, 20, body.length]) {
        const response = toResponse(body, sizes);
        for (const step of [1, 3, response.length]) {
          assert.ok(read(response, body, step).isWhole, `${sizes} ${step}`);
          assert.equal(read(response.subarray(0, -2), body, step).isDone, false);
          assert.equal(read(toResponse(wrong, sizes), body, step).isTrue, false);
          assert.equal(read(toResponse(body.subarray(0, -1), sizes), body, step).isWhole, false);
          assert.equal(read(toResponse(Buffer.concat([body, body]), sizes), body, step).isTrue, false);
        }
      }
    });
  }

  test("recognises a response that is not a stream", () => {
    const reader = new ResponseReader(toBody(script, "text"));
    reader.push(Buffer.from("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nAway"));
    assert.match(reader.refusal ?? "", /503[^]*Away/);
  });
});

describe("the scripted upstream", () => {
  test("writes a plan and a boundary that Foreword's rule rewrites", () => {
    const text = toBody(script, "text").toString();
    assert.match(text, /^- Look it up\n- Say it\n\n\*\*---RESPONSE---\*\*\n\nSo/);
    const body = toBody(script, "plan").toString();
    assert.match(body, /^- Look it up\n- Say it\n---RESPONSE---\nSo/);
    assert.ok(body.endsWith(text.slice(-20)));
  });

  test("sends each delta in its own event, and `eventsPerWrite` events in a write", () => {
    const writes = toWrites(script);
    assert.equal(writes.length, Math.ceil(script.deltas / script.eventsPerWrite) + 1);
    assert.equal(writes.join("").split('"content":').length - 1, script.deltas + 1); // the role's is empty
    assert.ok(writes.at(-1)?.endsWith("data: [DONE]\n\n"));
  });
});
