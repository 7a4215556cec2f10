/** Files of tools' results: stored for the turn's user before any message holds them. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { MessageAttachments } from "../../src/files/message-attachments.ts";
import { makePng, readFile } from "../support/clients/file-client.ts";
import { startPglite } from "../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../support/apps/use-app.ts";

describe("storeToolFile", { timeout: 60_000 }, () => {
  const app = useApp(useModel(), {}, { database: useDatabase(startPglite) });

  test("keeps an image for its user, and nothing that is no image, or too large", async () => {
    const { attachments: rows } = app.app.store;
    if (rows === undefined) throw new Error("nothing is stored");
    const attachments = new MessageAttachments({
      rows,
      limits: { maxImages: 1, maxBytes: 1 },
      observe: () => {},
    });
    const caller = { userId: randomUUID(), accessToken: undefined };
    const { data, bytes } = makePng("chart", 5_000);
    const stored = await attachments.storeToolFile({ data, name: "a/chart.png" }, caller, 5_000);
    const path = `/files/${stored?.id}?userId=`;
    const read = await readFile(app, path + caller.userId);
    assert.ok(read.bytes.equals(bytes));
    assert.match(read.headers.get("content-disposition") ?? "", /''chart\.png$/);
    assert.equal((await app.get(path + randomUUID())).status, 404);
    assert.equal(await attachments.storeToolFile({ data, name: undefined }, caller, 4_000), undefined);
    const page = Buffer.from("<html>").toString("base64");
    assert.equal(await attachments.storeToolFile({ data: page, name: "a.png" }, caller, 5_000), undefined);
  });
});
