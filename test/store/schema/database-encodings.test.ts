/**
 * The schema can be applied and searched in a database of any encoding, with a locale that knows no letters.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { applySchema } from "../../../src/store/schema/apply-schema.ts";
import { startPostgres, type PostgresServer } from "../../support/databases/postgres-server.ts";
import { ScriptedModel } from "../../support/model/scripted-model.ts";
import { startApp } from "../../support/apps/start-app.ts";
import { loadSchemaOf } from "../../support/databases/schema-versions.ts";
import { openPostgres } from "../scratch-database.ts";

describe("a database of another encoding", { timeout: 120_000 }, () => {
  let server: PostgresServer;
  let model: ScriptedModel;
  before(async () => {
    [server, model] = await Promise.all([startPostgres(), ScriptedModel.start()]);
  });
  after(async () => {
    await model.close();
    await server.stop();
  });

  for (const encoding of ["LATIN1", "SQL_ASCII", "UTF8"]) {
    test(`${encoding} with the locale C is searched by words with accents`, async () => {
      const name = encoding.toLowerCase();
      const session = await openPostgres(server.url);
      await session.apply(
        `create database ${name} encoding '${encoding}' lc_collate 'C' lc_ctype 'C' template template0`,
      );
      await session.close();
      const url = new URL(server.url);
      url.pathname = `/${name}`;
      await applySchema(url.href, await loadSchemaOf(), () => {});
      const base = { CHAT_STORE_ENABLED: "true", OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" };
      const app = await startApp({ ...base, DATABASE_URL: url.href });
      try {
        const userId = randomUUID();
        assert.equal((await app.chat("Crème node.js", { userId })).status, 200);
        for (const query of ["CRÈME", "creme", "node"]) {
          const path = `/conversations?userId=${userId}&query=${encodeURIComponent(query)}`;
          const answer = await app.get(path);
          assert.equal(JSON.parse(answer.body).conversations.length, 1, query);
        }
      } finally {
        await app.close();
      }
    });
  }
});
