/** Knowledge bases through the routes, on every database: documents are added, read, shown and deleted. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { KnowledgeClient } from "../../support/clients/knowledge-client.ts";
import { readFile } from "../../support/clients/file-client.ts";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import { makePdf } from "../../support/documents/make-pdf.ts";

/** Runs the suite on the database that `start` starts. */
export function runKnowledgeSuite(name: string, start: () => Promise<StoreHarness>): void {
  describe(`knowledge bases on ${name}`, { timeout: 180_000 }, () => {
    const model = useModel();
    const database = useDatabase(start);
    const limits = { LIMIT_DOCUMENT_MIB: "1", LIMIT_DOCUMENT_PAGES: "3", LIMIT_PASSAGES: "400" };
    const app = useApp(model, { ...limits, LIMIT_USER_FILES_MIB: "2" }, { database });
    const newClient = (): KnowledgeClient => new KnowledgeClient(app, randomUUID());

    test("read a text, and show it whole, in passages with their headings", async () => {
      const client = newClient();
      const text = Array.from(
        { length: 60 },
        (_, index) => `# Part ${index}\n\n${"Words. ".repeat(60)}\n`,
      ).join("");
      const document = await client.addRead("handbook", text, "Über uns.md");
      const { id, name: fileName, type, state, error, pages, sizeBytes, passages } = document;
      assert.deepEqual(
        [fileName, type, state, error, pages],
        ["Über uns.md", "markdown", "ready", null, null],
      );
      assert.equal(sizeBytes, Buffer.byteLength(text));
      assert.ok(passages >= 60);
      const read = await client.read(id);
      assert.ok(read.parts > 1);
      assert.equal(read.text.trim(), text.trim());
      const { body } = await client.ask("GET", `/documents/${id}/text`);
      assert.match(body, /"heading":"Part 0"/);
    });

    test("leave one line in the log for a document, read or not, without its name or text", async () => {
      const client = newClient();
      const pdf = makePdf([[{ text: "Confidential words.", x: 50, y: 700 }], []]);
      const { id } = await client.addRead("handbook", pdf, "Payroll.pdf");
      const failed = await client.addRead("handbook", "%PDF-1.7\nConfidential words", "Payroll.pdf");
      const facts = { userId: client.userId, documentType: "pdf" };
      for (const [documentId, msg, level, more] of [
        [id, "document read", 30, { sizeBytes: pdf.length, pages: 2, passages: 1 }],
        [failed.id, "document could not be read", 40, { code: "document_unreadable", passages: 0 }],
      ] as const) {
        const line = await app.logged((one) => one["documentId"] === documentId);
        assert.partialDeepStrictEqual(line, { msg, level, ...facts, ...more });
        assert.equal(app.logs.filter((one) => one["documentId"] === documentId).length, 1);
        assert.ok(Number(line["durationMs"]) > 0);
        assert.doesNotMatch(JSON.stringify(line), /Payroll|Confidential/);
      }
    });

    test("read a PDF page by page, and give its original back", async () => {
      const client = newClient();
      const pages = [1, 2, 3].map((page) => [{ text: `This is page ${page} of three.`, x: 50, y: 700 }]);
      const pdf = makePdf(pages);
      const { id, type, state, pagesRead, pages: count } = await client.addRead("files", pdf, "a.pdf");
      assert.deepEqual([type, state, pagesRead, count], ["pdf", "ready", 3, 3]);
      assert.match((await client.read(id, 2)).text, /page 2 of three/);
      assert.equal((await client.read(id, 4)).text, "");
      const path = `/documents/${id}/original?userId=${client.userId}`;
      const original = await readFile(app, path);
      assert.ok(original.bytes.equals(pdf));
      assert.equal(original.headers.get("content-type"), "application/pdf");
      assert.equal(original.headers.get("content-disposition"), "attachment; filename*=UTF-8''a.pdf");
      const part = await readFile(app, path, { range: "bytes=5-9" });
      assert.ok(part.status === 206 && part.bytes.equals(pdf.subarray(5, 10)));
      assert.equal((await readFile(app, path, {}, "HEAD")).headers.get("content-length"), `${pdf.length}`);
    });

    test("say of each document why it cannot be read", async () => {
      const client = newClient();
      const four = Array.from({ length: 4 }, () => [{ text: "A page.", x: 50, y: 700 }]);
      for (const [bytes, code] of [
        [makePdf([[]]), "document_has_no_text"],
        ["%PDF-1.7\nnothing more", "document_unreadable"],
        [makePdf(four), "document_too_large"],
        ["... --- ...", "document_has_no_text"],
      ] as const) {
        const { state, error, passages } = await client.addRead("broken", bytes);
        assert.deepEqual([state, error?.code, passages], ["failed", code, 0]);
        assert.ok((error?.message.length ?? 0) > 20);
      }
      const { body } = await client.ask("GET", "/knowledge-bases");
      assert.match(body, /"documents":4,"waiting":0,"failed":4,"passages":0/);
    });

    test("refuse a document of unknown type, an empty one, and one that is too large, before they store it", async () => {
      const client = newClient();
      const zip = Buffer.concat([Buffer.from("PK\u0003\u0004"), Buffer.alloc(100)]);
      for (const [bytes, status, code] of [
        [zip, 415, "document_type_unknown"],
        [Buffer.from([0, 1, 2, 3, 0]), 415, "document_type_unknown"],
        ["", 400, "invalid_request"],
        ["x".repeat(1024 * 1024 + 1), 413, "document_too_large"],
      ] as const) {
        const response = await client.send("b", bytes);
        assert.deepEqual([response.status, JSON.parse(response.body).code], [status, code]);
      }
      assert.equal((await client.ask("GET", "/knowledge-bases")).body, '{"knowledgeBases":[]}');
    });

    test("refuse what their user has no room for", async () => {
      const client = newClient();
      const filler = "Plenty of words here. ".repeat(40_000);
      const { state, error } = await client.addRead("large", filler);
      assert.deepEqual([state, error?.code], ["failed", "knowledge_full"]);
      await client.add("large", `Another. ${filler}`);
      const third = await client.send("large", `A third. ${filler}`);
      assert.deepEqual([third.status, JSON.parse(third.body).code], [413, "knowledge_full"]);
    });

    test("take names in every form that clients send", async () => {
      const client = newClient();
      for (const [index, [disposition, fileName]] of (
        [
          ['attachment; filename="plain.txt"', "plain.txt"],
          ["attachment; filename=bare.txt", "bare.txt"],
          ["attachment; filename=\"x.txt\"; filename*=UTF-8''%C3%A9t%C3%A9.txt", "été.txt"],
          ['attachment; filename="quo\\"ted.txt"', 'quo"ted.txt'],
          [Buffer.from('attachment; filename="文件.txt"').toString("latin1"), "文件.txt"],
          ['attachment; filename="../../etc/passwd"', "passwd"],
          ["attachment; filename*=UTF-8''%ZZ", "document"],
          ["inline", "document"],
        ] as const
      ).entries()) {
        const headers = { "content-disposition": disposition };
        const response = await client.send("names", `Text no. ${index}`, headers);
        assert.equal(JSON.parse(response.body).name, fileName, disposition);
      }
      const { status, body } = await client.send("names", "a,b\n1,2", { "content-type": "text/csv" });
      assert.deepEqual([status, JSON.parse(body).type], [202, "csv"]);
    });

    test("list documents in pages, the newest first, and delete them one by one or with their base", async () => {
      const client = newClient();
      const base = "R&D / plans?";
      const ids: string[] = [];
      for (const text of ["one", "two", "three"]) ids.unshift((await client.addRead(base, text)).id);
      assert.equal((await client.add(` R&D  / plans?`, "one")).id, ids[2]);
      const first = await client.list(base, "limit=2");
      const second = await client.list(base, `limit=2&cursor=${first.nextCursor}`);
      const listed = [...first.documents, ...second.documents].map(({ id }) => id);
      assert.deepEqual(listed, ids);
      assert.equal(second.nextCursor, null);
      const [newest = ""] = ids;
      assert.equal((await client.ask("DELETE", `/documents/${newest}`)).status, 204);
      for (const path of [
        `/documents/${newest}`,
        `/documents/${newest}/text`,
        `/documents/${newest}/original`,
      ])
        assert.equal((await client.ask("GET", path)).status, 404, path);
      assert.equal((await client.ask("DELETE", `/documents/${newest}`)).status, 404);
      const path = `/knowledge-bases/${encodeURIComponent(base)}`;
      assert.equal((await client.ask("DELETE", path)).status, 204);
      assert.equal((await client.ask("DELETE", path)).status, 404);
      assert.equal((await client.ask("GET", `${path}/documents`)).status, 404);
    });

    test("refuse malformed requests", async () => {
      const client = newClient();
      for (const [path, query = ""] of [
        ["/documents/x"],
        ["/documents/x/text"],
        [`/documents/${randomUUID()}/text`, "page=0"],
        [`/documents/${randomUUID()}/text`, "page=99999999999"],
        [`/documents/${randomUUID()}/text`, "first=-1"],
        ["/knowledge-bases/%20/documents"],
        [`/knowledge-bases/${"x".repeat(201)}/documents`],
        ["/knowledge-bases/x/documents", "cursor=x"],
        ["/knowledge-bases/x/documents", "limit=1000"],
      ] as const)
        assert.equal((await client.ask("GET", path, query)).status, 400, `${path} ${query}`);
      assert.equal((await client.send("x".repeat(201), "text")).status, 400);
      const compressed = await client.send("x", "text", { "content-encoding": "gzip" });
      assert.equal(compressed.status, 415);
    });
  });
}
