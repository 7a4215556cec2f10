/** The vectors of texts, from a server that responds in every way that servers do. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EmbeddingServer } from "../../src/grounding/embeddings/embedding-server.ts";
import type { EmbeddingSettings } from "../../src/grounding/embeddings/settings.ts";
import { TextEmbedding } from "../../src/knowledge/embeddings/text-embedding.ts";
import { useResource } from "../support/apps/use-app.ts";
import { useEmbeddings } from "../support/web/scripted-embeddings.ts";

const never = new AbortController().signal;
const texts = ["holiday", "salary", "train"];

describe("a server of embeddings", { timeout: 30_000 }, () => {
  const scripted = useEmbeddings("test");
  let opened: EmbeddingServer[] = [];
  useResource(async (closing) => {
    opened = [];
    closing.defer(async () => void (await Promise.all(opened.map((server) => server.close()))));
  }, "test");

  function connect(more: Partial<EmbeddingSettings> = {}): EmbeddingServer {
    const settings = {
      baseUrl: new URL(scripted.url),
      apiKey: undefined,
      model: "topics",
      dimensions: undefined,
      queryPrefix: "",
      passagePrefix: "",
      ...more,
    };
    const server = new EmbeddingServer(settings);
    opened.push(server);
    return server;
  }

  /** Responds with these vectors, in this order, without any index. */
  function sendPlain(...vectors: readonly unknown[]): void {
    scripted.respond = () => [200, { data: vectors.map((embedding) => ({ embedding })) }];
  }

  const round = (vectors: readonly (Float32Array | undefined)[] | "refused") =>
    vectors === "refused"
      ? vectors
      : vectors.map((vector) => vector && Array.from(vector, (value) => Math.round(value * 10) / 10));

  test("has the vectors of texts in their order, each of length 1, whatever the order of its response", async () => {
    const server = connect();
    assert.equal(server.modelName, undefined);
    const vectors = round(await server.embedPassages(texts, never));
    assert.deepEqual(vectors, [
      [1, 0, 0, 0, 0.1, 0, 0, 0],
      [0, 1, 0, 0, 0.1, 0, 0, 0],
      [0, 0, 1, 0, 0.1, 0, 0, 0],
    ]);
    assert.equal(server.modelName, "topics 8");
    assert.deepEqual(await server.describe(never), { width: 8, length: 3 });
    assert.deepEqual(scripted.requests[0]?.body, { model: "topics", input: texts });
  });

  test("is sent the key, the width and the prefixes that are set, below a base URL of any form", async () => {
    const baseUrl = new URL(`${scripted.url}/`);
    const server = connect({
      baseUrl,
      apiKey: "sk-1",
      dimensions: 4,
      queryPrefix: "q: ",
      passagePrefix: "p: ",
    });
    scripted.width = 4;
    const { model } = await server.embedQuestion("holiday", never);
    await server.embedPassages(["leave"], never);
    assert.equal(model, "topics 4 p:");
    assert.deepEqual(
      scripted.requests.map(({ path, headers, body }) => [
        path,
        headers.authorization,
        body.input,
        body.dimensions,
      ]),
      [
        ["/v1/embeddings", "Bearer sk-1", ["q: holiday"], 4],
        ["/v1/embeddings", "Bearer sk-1", ["p: leave"], 4],
      ],
    );
    baseUrl.username = "user";
    baseUrl.password = "p%40ss";
    await connect({ baseUrl }).embedQuestion("holiday", never);
    assert.equal(scripted.requests.at(-1)?.headers.authorization, `Basic ${btoa("user:p@ss")}`);
  });

  test("may send base64 though it was not asked to, and no index", async () => {
    const bytes = Buffer.alloc(8);
    bytes.writeFloatLE(3, 0);
    bytes.writeFloatLE(-4, 4);
    sendPlain(bytes.toString("base64"), [0, 2]);
    assert.deepEqual(round(await connect().embedPassages(["a", "b"], never)), [
      [0.6, -0.8],
      [0, 1],
    ]);
  });

  test("has no vector for a text that it gives only zeros, or no numbers", async () => {
    sendPlain([0, 0], [1, 0], [null, 1], [1e39, 1]);
    const found = round(await connect().embedPassages(["a", "b", "c", "d"], never));
    assert.deepEqual(found, [undefined, [1, 0], undefined, undefined]);
    sendPlain([0, 0]);
    await assert.rejects(connect().embedQuestion("a", never), { code: "search_unavailable" });
  });

  test("fails with a reason, without the texts, if its response cannot be right", async () => {
    const vector = [1, 0];
    const wrong: readonly (readonly [response: readonly [number, unknown], reason: RegExp])[] = [
      [[200, { data: [{ embedding: vector }] }], /1 vectors for 2 texts/],
      [[200, { data: [0, 0].map((index) => ({ index, embedding: vector })) }], /places are wrong/],
      [[200, { data: [1, 2].map((index) => ({ index, embedding: vector })) }], /places are wrong/],
      [[200, { data: [{ embedding: vector }, { embedding: [1] }] }], /different widths/],
      [[200, { data: [{ embedding: [] }, { embedding: [] }] }], /widths, or none/],
      [[200, { error: "secret plans" }], /another form/],
      [[200, "<html>secret plans"], /another form/],
      [[401, { error: "secret plans" }], /status 401: check EMBEDDINGS_API_KEY/],
      [[404, ""], /status 404: check EMBEDDINGS_BASE_URL/],
      [[503, "secret plans"], /status 503/],
    ];
    for (const [response, reason] of wrong) {
      scripted.respond = () => response;
      await assert.rejects(
        connect().embedPassages(["secret plans", "b"], never),
        ({ code, message }: { code: string; message: string }) => {
          assert.match(message, reason);
          assert.doesNotMatch(message, /secret/);
          return code === "search_unavailable";
        },
      );
    }
    scripted.respond = () => [429, "", { "retry-after": "7" }];
    await assert.rejects(connect().embedPassages(["a"], never), { retryAfterMs: 7_000 });
    const away = connect({ baseUrl: new URL("http://127.0.0.1:9/v1") });
    await assert.rejects(away.embedPassages(["a"], never), { code: "search_unavailable" });
  });

  describe("that takes few and short texts", () => {
    const long = `holiday ${"x".repeat(1_500)}`;

    test("is asked for fewer at once from then on", async () => {
      scripted.respond = ({ body }) => (body.input.length > 8 ? [413, "too many"] : undefined);
      const embedding = new TextEmbedding(connect());
      const many = Array.from({ length: 32 }, (_, index) => texts[index % 3] ?? "");
      const vectors = await embedding.embed(many, never);
      assert.equal(vectors.length, 32);
      assert.deepEqual(round(vectors.slice(30)), round(await connect().embedPassages(many.slice(30), never)));
      assert.equal(embedding.maxTexts, 8);
    });

    test("embeds the first part of a text that is too long, and all others whole", async () => {
      scripted.respond = ({ body }) =>
        body.input.some((text) => text.length > 400) ? [400, "too long"] : undefined;
      const embedding = new TextEmbedding(connect());
      const vectors = round(await embedding.embed(["salary", long, "train"], never));
      assert.deepEqual(vectors, round(await connect().embedPassages(["salary", "holiday", "train"], never)));
      assert.equal(embedding.maxTexts, 32);
    });

    test("has no vector for a text that it refuses at any length, and fails if it refuses every text", async () => {
      scripted.respond = ({ body }) =>
        body.input.some((text) => text.includes("holiday")) ? [400, "not allowed"] : undefined;
      const embedding = new TextEmbedding(connect());
      const vectors = await embedding.embed([long, "train"], never);
      assert.equal(vectors[0], undefined);
      assert.deepEqual(round(vectors.slice(1)), round(await connect().embedPassages(["train"], never)));
      scripted.respond = () => [400, "no such dimensions"];
      await assert.rejects(
        embedding.embed([long], never),
        /refuses every text \(status 400\): check EMBEDDINGS_MODEL/,
      );
    });
  });
});
