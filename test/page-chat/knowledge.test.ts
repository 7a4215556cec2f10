/** The page's lists of documents and of knowledge bases, when responses arrive in another order. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { describe, test } from "node:test";
import { createKnowledgeBases } from "../../packages/foreword-client/src/knowledge/knowledge.ts";
import { DocumentList } from "../../web/src/knowledge/document-list.ts";
import { UserBases } from "../../web/src/knowledge/user-bases.ts";
import { ManualClock } from "../support/manual-clock.ts";

type Respond = (status: number, body: unknown) => void;

/** Knowledge bases whose requests are answered by hand. */
function open() {
  const sent: Respond[] = [];
  const coming = new EventEmitter();
  const send = async (): Promise<Response> => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    sent.push((status, body) => resolve(Response.json(body, { status })));
    coming.emit("request");
    return await promise;
  };
  const retry = { maxRetries: 0 };
  const bases = createKnowledgeBases({ baseUrl: "http://a.test", userId: randomUUID(), fetch: send, retry });
  /** Resolves with the next request, once it has been sent. */
  const next = async (): Promise<Respond> => {
    if (sent.length === 0) await once(coming, "request");
    return sent.shift() ?? assert.fail();
  };
  return { bases, next };
}

const toDocument = (id: string) => ({ id, name: id, sizeBytes: 1, state: "ready", error: null });
const toPage = (...ids: readonly string[]) => ({ documents: ids.map(toDocument), nextCursor: null });

describe("DocumentList", { timeout: 20_000 }, () => {
  function openList() {
    const { bases, next } = open();
    const services = { bases, clock: new ManualClock(), watch: () => {}, onChange: async () => {} };
    const list = new DocumentList(services, "k");
    return { list, next, ids: () => list.store.state.documents.map(({ id }) => id) };
  }

  test("keeps a document that was added while an older list was on its way", async () => {
    for (const [status, body, others] of [
      [200, toPage("old"), ["old"]],
      [404, { code: "knowledge_base_not_found" }, []],
    ] as const) {
      const { list, next, ids } = openList();
      const shown = list.show();
      const respond = await next();
      const added = list.add([new File(["New."], "new")]);
      (await next())(202, toDocument("new"));
      await added;
      respond(status, body);
      await shown;
      assert.deepEqual(ids(), ["new", ...others]);
      const shownAgain = list.show();
      (await next())(200, toPage(...others));
      await shownAgain;
      assert.deepEqual(ids(), others, "a list that was read later is all there is");
    }
  });

  test("shows the list that was read last, not the one that arrives last", async () => {
    const { list, next, ids } = openList();
    const reads = [list.show(), list.show()];
    const [first, second] = [await next(), await next()];
    second(200, toPage("new", "old"));
    await reads[1];
    first(200, toPage("old"));
    await reads[0];
    assert.deepEqual(ids(), ["new", "old"]);
  });
});

test(
  "UserBases has the list that was read last, not the one that arrives last",
  { timeout: 20_000 },
  async () => {
    const { bases, next } = open();
    const known = new UserBases(bases);
    const reads = [known.refresh(), known.refresh()];
    const [first, second] = [await next(), await next()];
    second(200, { knowledgeBases: [{ name: "new" }] });
    await reads[1];
    first(200, { knowledgeBases: [] });
    await reads[0];
    assert.deepEqual(
      known.store.state?.map(({ name }) => name),
      ["new"],
    );
  },
);
