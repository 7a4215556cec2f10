/** `GET /files/:id`: headers, ranges, copies, and a store that is unavailable. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, test } from "node:test";
import { makePng, readFile, toImageMessage } from "../support/clients/file-client.ts";
import { startPglite } from "../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../support/apps/use-app.ts";

const sizeBytes = 3_000_001;
const file = makePng("route", sizeBytes);

describe("a stored file", { timeout: 120_000 }, () => {
  const model = useModel();
  const app = useApp(model, {}, { database: useDatabase(startPglite) });
  let path = "";
  before(async () => {
    const answer = await app.post("/stream-chat", { messages: [toImageMessage("Hi", file)] });
    const id = String(answer.headers["x-conversation-id"]);
    const { body } = await app.get(`/conversations/${id}/messages`);
    path = /"url":"([^"]+)"/.exec(body)?.[1] ?? assert.fail(body);
  });

  test("is a download of its own type that a browser can make no page of", async () => {
    const { status, headers } = await readFile(app, path);
    assert.equal(status, 200);
    const sent = Object.fromEntries(headers);
    assert.deepEqual(
      {
        type: sent["content-type"],
        options: sent["x-content-type-options"],
        policy: sent["content-security-policy"],
        disposition: sent["content-disposition"],
        cache: sent["cache-control"],
        ranges: sent["accept-ranges"],
        length: sent["content-length"],
      },
      {
        type: "image/png",
        options: "nosniff",
        policy: "sandbox; default-src 'none'",
        disposition: `attachment; filename*=UTF-8''${path.slice("/files/".length)}.png`,
        cache: "private, max-age=31536000, immutable",
        ranges: "bytes",
        length: String(sizeBytes),
      },
    );
  });

  test("is sent in part for one range, whole for others, and not at all for bytes that it does not have", async () => {
    for (const [range, start, end] of [
      ["bytes=0-0", 0, 1],
      ["bytes=262142-262144", 262_142, 262_145],
      ["bytes=100-", 100, sizeBytes],
      ["bytes=-5", sizeBytes - 5, sizeBytes],
      ["bytes=-9000000", 0, sizeBytes],
      ["bytes=2999999-99999999", 2_999_999, sizeBytes],
    ] as const) {
      const { status, headers, bytes } = await readFile(app, path, { range });
      assert.equal(status, 206, range);
      assert.equal(headers.get("content-range"), `bytes ${start}-${end - 1}/${sizeBytes}`);
      assert.ok(bytes.equals(file.bytes.subarray(start, end)), range);
    }
    for (const range of ["bytes=5-2", "bytes=0-1,4-5", "items=0-1", "bytes=", "bytes=-", "bytes=a-b"]) {
      const { status, bytes } = await readFile(app, path, { range });
      assert.deepEqual([status, bytes.length], [200, sizeBytes], range);
    }
    for (const range of [`bytes=${sizeBytes}-`, "bytes=-0", "bytes=900000000000000-"]) {
      const answer = await app.get(path, { range });
      assert.equal(answer.status, 416, range);
      assert.equal(answer.headers["content-range"], `bytes */${sizeBytes}`);
      assert.match(answer.headers["content-type"] ?? "", /^application\/problem\+json/);
      assert.equal(answer.headers["content-disposition"], undefined);
    }
  });

  test("is not sent again to a client that has it, and a range of another version is not mixed in", async () => {
    const tag = (await readFile(app, path)).headers.get("etag") ?? "";
    for (const known of [tag, `W/${tag}`, `"x", ${tag}`, "*"]) {
      const { status, bytes } = await readFile(app, path, { "if-none-match": known });
      assert.deepEqual([status, bytes.length], [304, 0], known);
    }
    assert.equal((await app.get(path, { "if-none-match": tag })).status, 304);
    const range = { range: "bytes=0-9" };
    assert.equal((await readFile(app, path, { ...range, "if-range": tag })).status, 206);
    assert.equal((await readFile(app, path, { ...range, "if-range": '"other"' })).bytes.length, sizeBytes);
  });

  test("has the same headers for HEAD, without bytes", async () => {
    const whole = await readFile(app, path, {}, "HEAD");
    assert.deepEqual([whole.status, whole.bytes.length], [200, 0]);
    assert.equal(whole.headers.get("content-length"), String(sizeBytes));
    const part = await readFile(app, path, { range: "bytes=0-9" }, "HEAD");
    assert.deepEqual([part.status, part.headers.get("content-length")], [206, "10"]);
    assert.equal((await readFile(app, `/files/${randomUUID()}`, {}, "HEAD")).status, 404);
  });

  test("that does not exist, or whose id is none, is a 404 and a 400", async () => {
    assert.match((await app.get(`/files/${randomUUID()}`)).body, /"code":"file_not_found"/);
    assert.equal((await app.get("/files/x")).status, 400);
    assert.equal((await app.get("/files/..%2f..%2fetc%2fpasswd")).status, 400);
  });
});
